import { existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect } from "vitest";
import type { RunReport } from "../../src/replicate/report/json.ts";
import { SMALL, useCli } from "../harness/replicate-cli.ts";
import type { Client } from "../harness/scene.ts";
import { eventually } from "../harness/world.ts";
import { files, fillDataset } from "../harness/zfs-files.ts";
import { testWithZfs } from "../harness/zfs-needs.ts";
import { change, contents, dataset } from "../replicate/run/world.ts";

const TIMEOUT_MS = 120_000;
const MIB = 1024 * 1024;

const cli = useCli();

// One after the other: zfs-fuse 0.7.0 dies now and then of much that is mounted and unmounted at once.
describe("lazyssh replicate, through the jump onto a machine that is up,", () => {
  let keeper: Client;
  beforeAll(async () => {
    keeper = await cli().archive.session();
    // Until its pools are there.
    await cli().there.zpool("list");
  }, TIMEOUT_MS);
  afterAll(async () => {
    await keeper?.[Symbol.asyncDispose]();
  }, TIMEOUT_MS);

  testWithZfs(
    "refuses a replica that was written to, and takes it back when that is allowed",
    async () => {
      const { here, there, runOk, runRefused, expectSame, replica } = cli();
      const ways = await replica("changed");
      await there.zfs("set", "readonly=off", ways.target);
      await there.zfs("mount", ways.target);
      writeFileSync(join(await there.mount(ways.target), "of another"), "mine");
      const theirs = await files(there, ways.target);
      await there.zfs("unmount", ways.target);
      await change(here, ways.source, "2", 2, SMALL);

      const says = [/backup\/changed@1/, /zfs diff/, /zfs rollback backup\/changed@1/, /--yes-rollback/];
      await runRefused(ways, says);
      await there.zfs("mount", ways.target);
      expect(await files(there, ways.target)).toEqual(theirs);
      expect(theirs).toHaveProperty("of another");
      await there.zfs("unmount", ways.target);

      const report = await runOk(ways, "--yes-rollback");
      expect(report.datasets).toMatchObject([{ base: "tank/changed@1", snapshots: ["2"] }]);
      await expectSame(ways);
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "refuses a replica with newer snapshots of another, and destroys them when that is allowed",
    async () => {
      const { here, there, runOk, runRefused, expectSame, replica } = cli();
      const ways = await replica("foreign");
      await there.zfs("snapshot", "backup/foreign@theirs");
      await there.zfs("snapshot", "backup/foreign@theirs too");
      await change(here, ways.source, "2", 2, SMALL);
      await runRefused(ways, [
        /archiver: backup\/foreign@theirs, archiver: backup\/foreign@theirs too/,
        /on archiver: zfs rollback -r backup\/foreign@1/,
        /zfs rename backup\/foreign backup\/foreign-old/,
      ]);
      await runOk(ways, "--yes-rollback");
      await expectSame(ways);
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "leaves a replica alone whose source has lost all of its snapshots, whatever is allowed",
    async () => {
      const { here, runRefused, replica, lose } = cli();
      const ways = await replica("lost", 2);
      await lose(ways.source, "2");
      await here.zfs("destroy", "tank/lost@1");
      await runRefused(
        ways,
        [/has no snapshot any more/, /backup\/lost@2/, /zfs snapshot tank\/lost@/],
        "--yes-rollback",
        "--yes-destroy-target",
      );
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "destroys a replica that has nothing in common when that is allowed, and only what can go alone",
    async () => {
      const { here, there, runOk, runRefused, expectSame, replica, lose } = cli();
      const ways = await replica("anew");
      await replica("anew-beside");
      const beside = await contents(there, "backup/anew-beside");
      await lose(ways.source, "1");
      await change(here, ways.source, "2", 2, SMALL);
      const says = [
        /no snapshot in common/,
        /here: tank\/anew@2, archiver: backup\/anew@1/,
        /zfs rename backup\/anew backup\/anew-old.*zfs destroy -r backup\/anew/,
      ];
      await runRefused(ways, says);
      await runRefused(ways, says, "--yes-rollback");

      await there.zfs("create", "-o", "canmount=off", "backup/anew/child");
      await runRefused(ways, [/not destroyed even with/], "--yes-destroy-target");
      await there.zfs("destroy", "backup/anew/child");
      const report = await runOk(ways, "--yes-destroy-target");
      expect(report.datasets).toMatchObject([{ base: null, snapshots: ["2"] }]);
      await expectSame(ways);
      expect(await contents(there, "backup/anew-beside")).toEqual(beside);
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "goes by GUIDs, whatever snapshots and datasets are called",
    async () => {
      const { here, runOk, expectSame } = cli();
      const ways = { source: "tank/two words", target: "backup/two words: here" };
      for (const name of ["", "/12:30"]) await dataset(here, `tank/two words${name}`, 1, SMALL);
      await here.zfs("snapshot", "-r", "tank/two words@at 12:45");
      await runOk(ways, "-r");
      await here.zfs("rename", "tank/two words@at 12:45", "tank/two words@was: at 12:45");
      await change(here, "tank/two words", "at 13:00", 2, SMALL);
      const { datasets } = await runOk(ways, "-r");
      expect(datasets).toMatchObject([
        { status: "ok", base: "tank/two words@was: at 12:45", snapshots: ["at 13:00"] },
        { status: "current", source: "tank/two words/12:30" },
      ]);
      await expectSame(ways);
      await expectSame({ source: "tank/two words/12:30", target: "backup/two words: here/12:30" });
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "brings the others when one of three children fails, and touches none that stand beside them",
    async () => {
      const { here, there, run, runOk, expectSame } = cli();
      const ways = { source: "tank/three", target: "backup/three" };
      for (const name of ["", "/a", "/b", "/c"]) await dataset(here, `tank/three${name}`, 1, SMALL);
      await runOk(ways, "-r");
      const siblings = ["backup/three-beside", "backup/three/of another"];
      for (const name of siblings) {
        await there.zfs("create", "-o", "readonly=off", name);
        await change(there, name, "theirs", 1, SMALL);
      }
      const before = await Promise.all(siblings.map((name) => contents(there, name)));
      await there.zfs("set", "quota=200K", "backup/three/b");
      for (const name of ["/a", "/b", "/c"]) await change(here, `tank/three${name}`, "2", 9, MIB / 2);

      const { code, stderr, report } = await run(ways, "-r");
      expect([code, report.status], stderr).toEqual([3, "partial"]);
      expect(report.datasets.map(({ status }) => status)).toEqual(["current", "ok", "failed", "ok"]);
      expect(report.datasets[2]?.error).toMatch(/tank\/three\/b .*make room/);
      expect(stderr).toMatch(/error: tank\/three\/b: .*make room/);
      for (const name of ["/a", "/c"])
        await expectSame({ source: `tank/three${name}`, target: `backup/three${name}` });
      expect(Object.keys(await contents(there, "backup/three/b"))).toHaveLength(1);

      await there.zfs("set", "quota=none", "backup/three/b");
      await runOk(ways, "-r");
      await expectSame({ source: "tank/three/b", target: "backup/three/b" });
      expect(await Promise.all(siblings.map((name) => contents(there, name)))).toEqual(before);
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "goes on when the link is cut while it looks and in the middle of a stream, and when an ssh is killed there",
    async () => {
      const { archive, here, start, expectSame } = cli();
      await using relay = await archive.relay();
      const ways = { source: "tank/cut", target: "backup/cut", sshConfig: relay.sshConfig };
      await dataset(here, ways.source, 1, MIB);
      const waits = zfsThatWaits(join(here.folder, "waits-to-be-cut"));
      await using cut = start(ways, "--remote-zfs", waits.path);
      await eventually("it to look", () => existsSync(waits.asked), 60_000);
      relay.cut();
      relay.cutAfter(MIB / 2);
      writeFileSync(waits.goOn, "");
      const first = await cut.ended;
      expect([first.code, first.stderr]).toEqual([
        0,
        expect.stringMatching(/(connection.*trying again.*){2}/s),
      ]);
      expect((JSON.parse(first.stdout) as RunReport).datasets).toMatchObject([
        { base: null, snapshots: ["1"] },
      ]);

      await change(here, ways.source, "2", 2, 2 * MIB);
      const { up } = relay.passed;
      await using program = start(ways, "--compress", "none", "--rate-limit", "1MiB");
      await eventually("half of it to be sent", () => relay.passed.up - up > MIB / 2, 60_000);
      process.kill(childWith(program.process.pid, "recv"), "SIGKILL");
      const { code, stdout, stderr } = await program.ended;
      expect([code, stderr]).toEqual([0, expect.stringContaining("trying again")]);
      expect((JSON.parse(stdout) as RunReport).datasets).toMatchObject([{ status: "ok", snapshots: ["2"] }]);
      await expectSame(ways);
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "reports a stream that was corrupted on its way, and what has arrived before is as it was",
    async () => {
      const { here, there, run, runOk, expectSame, replica } = cli();
      const ways = await replica("spoilt");
      await change(here, ways.source, "2", 2, MIB / 4);
      const before = await contents(there, ways.target);
      const zfs = join(here.folder, "zfs-that-spoils");
      const real = join(here.binDir, "zfs");
      const spoil = `'${real}' "$@" | { head -c 100000; head -c 8 >/dev/null; printf spoilt!!; cat; }`;
      const text = `#!/bin/sh\nif [ "$1" = send ] && [ $# -gt 1 ]; then ${spoil}; exit 0; fi\nexec '${real}' "$@"\n`;
      writeFileSync(zfs, text, { mode: 0o755 });
      const { code, stderr, report } = await run({ ...ways, zfs });
      expect([code, report.status], stderr).toEqual([1, "failed"]);
      expect(report.datasets[0]?.error).toMatch(/checksum mismatch|invalid/);
      expect(await contents(there, ways.target)).toEqual(before);
      await runOk(ways);
      await expectSame(ways);
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "sends to a pool that has lost one of its disks, and says so",
    async () => {
      const { archive, here, there, run, expectSame } = cli();
      const disks = ["one", "other"].map((name) => join(archive.world.volumeFolder, `${name}.disk`));
      for (const disk of disks) {
        writeFileSync(disk, "");
        truncateSync(disk, 64 * MIB);
      }
      await there.zpool("create", "halved", "mirror", ...disks);
      await there.zpool("offline", "halved", disks[0] ?? "");
      const ways = { source: "tank/degraded", target: "halved/degraded" };
      await dataset(here, ways.source, 2, SMALL);
      const { code, stderr, report } = await run(ways);
      expect([code, report.status], stderr).toEqual([0, "ok"]);
      expect(report.warnings).toEqual([expect.stringMatching(/pool halved on archiver.*DEGRADED/)]);
      expect(stderr).toMatch(/warning: pool halved on archiver is not healthy: DEGRADED: .*offline/);
      await expectSame(ways);
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "fails where there is no room, leaves nothing half, and goes on once there is",
    async () => {
      const { archive, here, there, run, runOk, expectSame } = cli();
      const disk = join(archive.world.volumeFolder, "small.disk");
      writeFileSync(disk, "");
      truncateSync(disk, 64 * MIB);
      await there.zpool("create", "small", disk);
      const ways = { source: "tank/room", target: "small/room" };
      await dataset(here, ways.source, 1, SMALL);
      await runOk(ways);
      const free = Number(await there.get("available", "small"));
      await there.zfs("create", "-o", `reservation=${free - MIB}`, "-o", "canmount=off", "small/reserved");
      await change(here, ways.source, "2", 2, 3 * MIB);
      const before = await contents(there, ways.target);
      const { code, stderr, report } = await run(ways);
      expect([code, report.status], stderr).toEqual([1, "failed"]);
      expect(report.datasets[0]?.error).toMatch(/out of space.*make room/);
      expect(await contents(there, ways.target)).toEqual(before);
      await there.zfs("destroy", "small/reserved");
      await runOk(ways);
      await expectSame(ways);
    },
    TIMEOUT_MS,
  );
});

describe("lazyssh replicate onto a machine that it boots, with the pool on a volume that outlives it,", () => {
  testWithZfs(
    "goes on after a kill -9 in a stream, and after one between a receive and its record, and no machine stays",
    async () => {
      const { archive, here, there, runOk, start, expectSame, expectProtected, lose } = cli();
      const ways = { source: "tank/crash", target: "backup/crash" };
      for (const name of ["", "/child"]) await dataset(here, `tank/crash${name}`, 2, SMALL);
      await archive.quiet();
      const boots = archive.calls("RunInstances");
      await using slow = start(ways, "-r", "--compress", "none", "--rate-limit", "8KiB");
      await eventually("it to send", () => slow.stderr().includes("sending @1"), 60_000);
      slow.kill("SIGKILL");
      await archive.quiet();

      const waits = zfsThatWaits(join(here.folder, "waits"), "backup/crash/child");
      await using program = start(ways, "-r", "--remote-zfs", waits.path);
      await eventually("what has arrived to be read back", () => existsSync(waits.asked), 60_000);
      expect((await there.snapshots("backup/crash/child")).map(({ name }) => name)).toEqual(["1"]);
      program.kill("SIGKILL");
      expect(await program.ended).toMatchObject({ signal: "SIGKILL", stdout: "" });
      writeFileSync(waits.goOn, "");
      await archive.quiet();
      expect(existsSync(join(here.folder, "state/replicate/jobs/tank-crash"))).toBe(false);

      const { datasets } = await runOk(ways, "-r");
      expect(datasets).toMatchObject([
        { status: "current", base: null, snapshots: [], bytes: 0 },
        { status: "ok", base: "tank/crash/child@1", snapshots: ["2"] },
      ]);
      await archive.quiet();
      // All is known to be there now.
      expect(await runOk(ways, "-r")).toMatchObject({ bytes: 0, boot_seconds: null });
      expect(archive.calls("RunInstances")).toBe(boots + 3);

      await using _session = await archive.session();
      for (const name of ["crash", "crash/child"]) {
        await expectSame({ source: `tank/${name}`, target: `backup/${name}` });
        await expectProtected(`backup/${name}`);
        await here.zfs("destroy", `tank/${name}@1`);
        await expect(here.zfs("destroy", `tank/${name}@2`)).rejects.toThrow("busy");
        await lose(`tank/${name}`, "2", "tank/crash");
      }
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "leaves replicas that lie over nothing, when the pool is exported and imported with mountpoints that they would inherit",
    async () => {
      const { archive, here, there, runOk, expectSame, expectProtected } = cli();
      const ways = { source: "tank/lived", target: "backup/below/lived" };
      await dataset(here, ways.source, 1, SMALL);
      const session = await archive.session();
      await there.zfs("create", "-o", "mountpoint=/lived", "backup/alive");
      await fillDataset(there, "backup/alive", { seed: 7, bytes: SMALL });
      const alive = await files(there, "backup/alive");
      await there.zfs("create", "-o", "mountpoint=/", "-o", "canmount=off", "backup/below");
      await runOk(ways, "--after", '["zpool", "export", "backup"]');
      expect(await there.zpool("list", "-H")).not.toContain("backup");
      await session[Symbol.asyncDispose]();
      await archive.quiet();

      await using _again = await archive.session();
      expect(await there.get("mountpoint", ways.target)).toBe("/lived");
      await expectProtected(ways.target);
      expect(await there.mount("backup/alive")).toBe(there.path("/lived"));
      expect(await files(there, "backup/alive")).toEqual(alive);
      await expectSame(ways);
    },
    TIMEOUT_MS,
  );
});

/** Of the machine: whoever asks it for anything waits, or only once it has received `after`. */
function zfsThatWaits(folder: string, after?: string): { path: string; asked: string; goOn: string } {
  mkdirSync(folder);
  const of = (name: string) => join(folder, name);
  const names = { path: of("zfs"), begins: of("begins"), asked: of("asked"), goOn: of("go-on") };
  const script = `#!/bin/sh
case "$*" in
recv*${after}) zfs "$@" && touch '${names.begins}'; exit ;;
esac
if [ -e '${names.begins}' ]; then
  touch '${names.asked}'
  until [ -e '${names.goOn}' ]; do sleep 0.02; done
fi
exec zfs "$@"
`;
  if (after === undefined) writeFileSync(names.begins, "");
  writeFileSync(names.path, script, { mode: 0o755 });
  writeFileSync(of("zpool"), '#!/bin/sh\nexec zpool "$@"\n', { mode: 0o755 });
  return names;
}

/** The process that a process has started with such a word in its command line. */
function childWith(parent: number | undefined, word: string): number {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8").trim().split(" ");
  const found = children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(word));
  if (found === undefined) throw new Error(`${parent} has no child with ${word}`);
  return Number(found);
}
