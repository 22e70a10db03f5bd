import { describe, expect, it, test } from "vitest";
import type { DatasetOutcome, RunOutcome } from "../../../src/replicate/outcome.ts";
import { type RunReport, toJson, toJsonLine } from "../../../src/replicate/report/json.ts";
import { judge } from "../../../src/replicate/report/judge.ts";
import { overallStatus } from "../../../src/replicate/report/status.ts";
import { historyTable, toText } from "../../../src/replicate/report/text.ts";

const current: DatasetOutcome = {
  source: "rpool/safe",
  target: "backup/safe",
  status: "current",
  base: undefined,
  snapshots: [],
  bytes: 0,
  seconds: 0,
  error: undefined,
  newest: { guid: "1", name: "b", creation: 1_700_000_000 },
  destroyed: [],
};
const ok: DatasetOutcome = {
  ...current,
  status: "ok",
  base: "rpool/safe@a",
  snapshots: ["b"],
  bytes: 2 ** 21,
  seconds: 2,
};
const bad = (status: DatasetOutcome["status"], error = "no"): DatasetOutcome => ({
  ...current,
  status,
  error,
});
const outcome: RunOutcome = {
  job: "safe",
  status: "partial",
  startedAt: 1_700_000_000_000,
  seconds: 62,
  bootSeconds: 9,
  machineSeconds: 60,
  bytes: 2 ** 21,
  datasets: [ok, bad("failed", "disk\u001b[2J full\n\u202eexport it")],
  errors: ["`after` failed"],
  warnings: ["old zfs"],
  scrub: undefined,
};

test.each([
  ["all sent or current", [ok, current], [], "ok"],
  ["an error of the whole run", [ok, current], ["boot"], "failed"],
  ["all refused", [bad("refused"), bad("refused")], [], "refused"],
  ["refused, the rest current", [bad("refused"), current], [], "refused"],
  ["refused, the rest sent", [bad("refused"), ok], [], "partial"],
  ["refused after a part was sent", [{ ...bad("refused"), snapshots: ["a"] }], [], "failed"],
  ["refused and failed", [bad("refused"), bad("failed")], [], "failed"],
  ["one failed", [ok, bad("failed")], [], "partial"],
  ["one skipped", [current, bad("skipped")], [], "partial"],
  ["all failed", [bad("failed")], [], "failed"],
  ["all skipped", [bad("skipped")], [], "failed"],
  ["ok with an error", [{ ...ok, error: "not verified" }], [], "failed"],
  ["nothing", [], [], "failed"],
] as const)("overallStatus: %s", (_, datasets, errors, status) => {
  expect(overallStatus(datasets, errors)).toBe(status);
});

describe("toJson", () => {
  it("begins with what is promised, and has null for what is not known", () => {
    const json: RunReport = toJson({ ...outcome, bootSeconds: undefined }, {}, "here");
    expect([json.exit_code, json.datasets[1]?.error]).toEqual([3, outcome.datasets[1]?.error]);
    expect(Object.keys(json).slice(0, 6)).toEqual([
      "job",
      "status",
      "datasets",
      "boot_seconds",
      "bytes",
      "seconds",
    ]);
    expect(JSON.parse(JSON.stringify(json))).toMatchObject({
      boot_seconds: null,
      host: "here",
      started: "2023-11-14T22:13:20.000Z",
      finished: "2023-11-14T22:14:22.000Z",
      exit_code: 3,
      scrub: null,
      datasets: [
        { base: "rpool/safe@a", snapshots: ["b"], error: null },
        { base: null, status: "failed" },
      ],
    });
    expect(json).not.toHaveProperty("service");
  });

  it("passes on what systemd says, and is one line", () => {
    const line = toJsonLine(outcome, { SERVICE_RESULT: "exit-code", EXIT_CODE: "exited", EXIT_STATUS: "3" });
    expect(line).not.toContain("\n");
    expect(JSON.parse(line)).toMatchObject({
      service: { result: "exit-code", exit_code: "exited", exit_status: "3" },
    });
  });
});

test("toText says all, errors last, and nothing that acts on a terminal", () => {
  expect(toText(outcome).split("\n")).toEqual([
    "rpool/safe -> backup/safe: ok, 1 snapshot since rpool/safe@a, 2.0 MiB in 2 s",
    "rpool/safe -> backup/safe: failed",
    "safe: partial (exit code 3), 2.0 MiB sent at 1.0 MiB/s, took 1m2s, boot 9 s, machine 1m",
    "warning: old zfs",
    "error: rpool/safe: disk [2J full export it",
    "error: `after` failed",
    "",
  ]);
});

test("historyTable has a line for each run", () => {
  expect(historyTable([])).toBe("no runs are remembered\n");
  const lines = historyTable([outcome, { ...outcome, job: "s", datasets: [ok], errors: [] }]).split("\n");
  expect(lines[1]).toMatch(
    /^2023-11-14T22:13:20Z +safe +partial +1\/2 +2\.0 MiB +1m2s +9 s +1 +`after` failed$/,
  );
  expect(lines[2]).toMatch(/ s +partial +1\/1 .* 9 s +1 +warning: old zfs$/);
});

test.each<[Record<string, number | undefined> | undefined, string, string]>([
  [{ a: 720 }, "ok", "OK - safe: newest snapshot 12m old (limit 1h)"],
  [{ a: 0 }, "ok", "OK - safe: newest snapshot 0 s old (limit 1h)"],
  [{ a: 7_200 }, "stale", "CRITICAL - safe: newest snapshot 2h old (limit 1h)"],
  [{ a: 1, b: 7_200 }, "stale", "CRITICAL - safe: b: newest snapshot 2h old (limit 1h)"],
  [{ a: 1, b: undefined }, "stale", "CRITICAL - safe: b: no snapshot (limit 1h)"],
  [{}, "stale", "CRITICAL - safe: there is no dataset (limit 1h)"],
  [undefined, "failed", "UNKNOWN - safe: nothing is known of it from the last verified run"],
])("judge: %j is %s", (ages, status, first) => {
  const now = 1_700_000_000;
  const newest =
    ages &&
    new Map(
      Object.entries(ages).map(([name, age]) => [name, age === undefined ? undefined : now - age] as const),
    );
  const judged = judge({
    job: "safe",
    newest,
    maxAgeMs: 3_600_000,
    now: now * 1000,
    source: "last verified run",
  });
  expect([judged.status, judged.lines[0]]).toEqual([status, first]);
});
