import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { type Archive, startArchive } from "../harness/archive.ts";
import { runProgram, startProgram } from "../harness/program.ts";
import { eventually } from "../harness/world.ts";
import { files, fillDataset } from "../harness/zfs-files.ts";
import { testWithZfs } from "../harness/zfs-needs.ts";
import { startZfsWorld, type ZfsWorld } from "../harness/zfs-world.ts";

const TIMEOUT_MS = 120_000;

let archive: Archive;
let here: ZfsWorld;
let dir: string;
let config: string;

beforeAll(async () => {
  [archive, here] = await Promise.all([startArchive(), startZfsWorld("here")]);
  dir = join(here.folder, "d");
  mkdirSync(dir);
  config = join(dir, "config.hcl");
  await here.createPool("tank");
}, TIMEOUT_MS);
afterAll(async () => {
  await archive?.[Symbol.asyncDispose]();
  await here?.[Symbol.asyncDispose]();
}, TIMEOUT_MS);

/** Of hooks, what they were told is in `told`. */
function writeConfig(): void {
  const hook = (event: string) =>
    `    ${event} {\n      command = ["sh", "-c", "echo \\"$LAZYSSH_EVENT $LAZYSSH_JOB $LAZYSSH_STATUS\\" >> '${dir}/told'; cat >/dev/null"]\n    }\n`;
  writeFileSync(
    config,
    `replicate "safe" {
  source      = "tank/safe"
  target      = "archiver"
  destination = "backup/safe"
  recursive   = true
  zfs         = ${JSON.stringify(join(here.binDir, "zfs"))}
  ssh {
    config = ${JSON.stringify(archive.sshConfig)}
  }
  report {
${["on_start", "on_success", "on_failure"].map(hook).join("")}  }
}
`,
  );
}

const lazyssh = (...args: string[]) =>
  runProgram(["replicate", ...args, "--state-dir", join(dir, "state")], { cwd: dir });
const jsonOf = (text: string) => JSON.parse(text) as Record<string, unknown>;

describe("a job of a file", () => {
  testWithZfs(
    "is sent, judged, remembered and restored, and what comes back is what was there, file by file",
    async () => {
      writeConfig();
      for (const name of ["tank/safe", "tank/safe/a b"]) {
        await here.zfs("create", name);
        await fillDataset(here, name, { bytes: 64 * 1024 });
      }
      await here.zfs("snapshot", "-r", "tank/safe@one");
      const before = await files(here, "tank/safe/a b@one");

      const never = await lazyssh("check", "--offline", "--max-age", "1h");
      expect(never).toMatchObject({ code: 1, stdout: expect.stringContaining("nothing is known") });

      const first = await lazyssh("safe", "--json");
      expect([first.code, first.stderr]).toEqual([0, expect.stringContaining("safe: ok")]);
      expect(jsonOf(first.stdout)).toMatchObject({
        ...{ job: "safe", status: "ok", exit_code: 0, boot_seconds: expect.any(Number), errors: [] },
        datasets: [
          {
            source: "tank/safe",
            target: "backup/safe",
            status: "ok",
            base: null,
            snapshots: ["one"],
            error: null,
          },
          { source: "tank/safe/a b", target: "backup/safe/a b", status: "ok", snapshots: ["one"] },
        ],
      });

      await fillDataset(here, "tank/safe/a b", { bytes: 64 * 1024, seed: 2 });
      await here.zfs("snapshot", "-r", "tank/safe@two");
      const dry = await lazyssh("--dry-run");
      expect(dry).toMatchObject({ code: 0, stdout: expect.stringContaining("zfs recv -u backup/safe") });
      const second = await lazyssh("--json");
      expect(jsonOf(second.stdout)).toMatchObject({
        status: "ok",
        datasets: [{ base: "tank/safe@one" }, { base: "tank/safe/a b@one", snapshots: ["two"] }],
      });

      expect(await lazyssh("check", "--max-age", "1h")).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^OK - safe: newest snapshot .* old/),
      });
      expect((await lazyssh("check", "--max-age", "1h", "--offline")).code).toBe(0);
      const stale = await lazyssh("check", "--max-age", "1ms", "--offline", "--json");
      expect([stale.code, jsonOf(stale.stdout)]).toMatchObject([
        6,
        { job: "safe", status: "stale", from: "last verified run", exit_code: 6 },
      ]);

      const past = await lazyssh("history", "safe", "--json");
      expect(past.stdout.trim().split("\n").map(jsonOf)).toMatchObject([
        { bytes: expect.any(Number) },
        { status: "ok" },
      ]);
      expect((await lazyssh("history")).stdout).toMatch(/^safe\n/);
      expect(readFileSync(join(dir, "told"), "utf8")).toBe("start safe started\nsuccess safe ok\n".repeat(2));

      const over = await lazyssh("restore", "safe");
      expect([over.code, over.stderr]).toEqual([1, expect.stringContaining("nothing is restored over it")]);
      const back = await lazyssh("restore", "safe", "--snapshot", "one", "--to", "tank/back", "--json");
      expect([back.code, back.stderr]).toEqual([0, expect.stringContaining("zfs mount tank/back")]);
      expect(jsonOf(back.stdout)).toMatchObject({
        status: "ok",
        warnings: [],
        datasets: [{ target: "tank/back" }, { target: "tank/back/a b", snapshots: ["one"] }],
      });
      expect(await files(here, "tank/back/a b@one")).toEqual(before);
      expect(await here.get("readonly", "tank/back/a b")).toBe("off");
      expect(await here.get("mounted", "tank/back")).toBe("no");

      const none = await lazyssh("restore", "safe", "--snapshot", "three", "--to", "tank/none");
      expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('no snapshot "three"')]);

      await here.zfs("destroy", "-r", "tank/back");
      await here.zfs("create", "-o", "canmount=off", "tank/back");
      const replaced = await lazyssh("restore", "safe", "--to", "tank/back", "--yes-destroy-target");
      expect([replaced.code, replaced.stderr]).toEqual([0, expect.stringContaining("tank/back is restored")]);
      expect(await here.zfs("list", "-H", "-o", "name")).not.toContain("replaced");
      expect(await files(here, "tank/back/a b@two")).toEqual(await files(here, "tank/safe/a b@two"));

      // Nothing on the replica is held by what was restored from it.
      const session = await archive.session();
      expect(await archive.there.get("userrefs", "backup/safe@two")).toBe("0");
      expect(await archive.there.get("userrefs", "backup/safe@one")).toBe("0");
      await session[Symbol.asyncDispose]();
    },
    TIMEOUT_MS,
  );
});

describe("a job that only flags tell of", () => {
  testWithZfs(
    "is pushed and pulled, is told to be running while it does, and ends in order at a signal",
    async () => {
      await here.zfs("create", "tank/flags");
      await fillDataset(here, "tank/flags", { bytes: 512 * 1024 });
      await here.zfs("snapshot", "tank/flags@one");
      const flags = ["-F", archive.sshConfig, "--zfs", join(here.binDir, "zfs")];
      const slow = startProgram(
        [
          "replicate",
          "tank/flags",
          "archiver:backup/flags",
          ...flags,
          "--rate-limit",
          "16KiB",
          "--compress",
          "none",
          "--json",
          "--state-dir",
          join(dir, "state"),
        ],
        { cwd: dir },
      );
      await eventually(
        "it to send",
        () => (slow.stderr().includes("sending @one") ? true : undefined),
        60_000,
      );
      const other = await lazyssh("tank/flags", "archiver:backup/flags", ...flags, "--json");
      expect([other.code, jsonOf(other.stdout)]).toMatchObject([
        5,
        { status: "running", errors: [expect.stringContaining(`process ${slow.process.pid}`)] },
      ]);
      const ended = await slow.stop();
      expect(ended).toMatchObject({ code: 1, stderr: expect.stringContaining("SIGTERM") });
      expect(jsonOf(ended.stdout)).toMatchObject({ status: "failed" });

      const pushed = await lazyssh("tank/flags", "archiver:backup/flags", ...flags, "--json");
      expect([pushed.code, jsonOf(pushed.stdout)]).toMatchObject([0, { datasets: [{ snapshots: ["one"] }] }]);
      const pulled = await lazyssh("archiver:backup/flags", "tank/pulled", ...flags);
      expect([pulled.code, pulled.stderr]).toEqual([0, expect.stringContaining("ok")]);
      expect(await files(here, "tank/pulled@one")).toEqual(await files(here, "tank/flags@one"));
    },
    TIMEOUT_MS,
  );
});
