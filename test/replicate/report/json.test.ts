import { hostname } from "node:os";
import { expect, it } from "vitest";
import { EXIT_CODES, type RunStatus } from "../../../src/replicate/outcome.ts";
import { startToJson, toJson } from "../../../src/replicate/report/json.ts";
import { version } from "../../../src/util/version.ts";
import { dataset, failed, outcome } from "./given.ts";

it("has all fields in a fixed order, and null where there is nothing to say", () => {
  const report = toJson(
    outcome({
      status: "partial",
      datasets: [dataset({ destroyed: ["backup/safe@auto-0"] }), failed],
      warnings: ["archiver has little space left"],
      scrub: { pool: "backup", state: "started", result: "scrub in progress" },
    }),
    { env: {}, host: "desk" },
  );
  expect(JSON.stringify(report, undefined, 1)).toBe(
    JSON.stringify(
      {
        job: "safe",
        status: "partial",
        datasets: [
          {
            source: "rpool/safe",
            target: "backup/safe",
            status: "ok",
            base: "rpool/safe@auto-1",
            snapshots: ["auto-2", "auto-3"],
            bytes: 22334668,
            seconds: 4.2,
            error: null,
            newest: { name: "auto-3", guid: "17954321987654321987", created: "2025-11-26T00:00:00.000Z" },
            destroyed: ["backup/safe@auto-0"],
          },
          {
            source: "rpool/safe/mail",
            target: "backup/safe/mail",
            status: "failed",
            base: null,
            snapshots: [],
            bytes: 0,
            seconds: 0,
            error: "zfs recv on archiver ended with status 1",
            newest: null,
            destroyed: [],
          },
        ],
        boot_seconds: 8.1,
        bytes: 22334668,
        seconds: 14.5,
        exit_code: 3,
        started: "2025-11-26T00:10:00.000Z",
        finished: "2025-11-26T00:10:14.500Z",
        machine_seconds: 13.25,
        errors: [],
        warnings: ["archiver has little space left"],
        scrub: { pool: "backup", state: "started", result: "scrub in progress" },
        host: "desk",
        version,
      },
      undefined,
      1,
    ),
  );
});

it("says null for the times of a machine that was not needed, and where it ran", () => {
  const report = toJson(outcome({ bootSeconds: undefined, machineSeconds: undefined }), { env: {} });
  expect(report).toMatchObject({ boot_seconds: null, machine_seconds: null, scrub: null, host: hostname() });
  expect(report).not.toHaveProperty("systemd");
});

it("rounds times to the millisecond", () => {
  expect(toJson(outcome({ seconds: 0.1 + 0.2 }), { env: {} }).seconds).toBe(0.3);
});

it("passes on what systemd has set", () => {
  const env = { SERVICE_RESULT: "exit-code", EXIT_CODE: "exited", EXIT_STATUS: "3" };
  const systemd = { service_result: "exit-code", exit_code: "exited", exit_status: "3" };
  expect(toJson(outcome(), { env })).toMatchObject({ exit_code: 0, systemd });
  expect(startToJson("safe", 0, { env, host: "desk" })).toEqual({
    job: "safe",
    status: "started",
    started: "1970-01-01T00:00:00.000Z",
    host: "desk",
    version,
    systemd,
  });
  const some = toJson(outcome(), { env: { SERVICE_RESULT: "success" } });
  expect(some.systemd).toEqual({ service_result: "success", exit_code: null, exit_status: null });
});

it.each(Object.entries(EXIT_CODES))("has the exit code of %s", (status, code) => {
  expect(toJson(outcome({ status: status as RunStatus }), { env: {} }).exit_code).toBe(code);
});
