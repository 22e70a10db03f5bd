import { describe, expect } from "vitest";
import { files } from "../../harness/zfs-files.ts";
import { testWithZfs } from "../../harness/zfs-needs.ts";
import { change, contents, dataset, run, useRunWorld } from "./world.ts";

const TIMEOUT_MS = 60_000;

describe("a run", () => {
  const world = useRunWorld();

  /** The whole history of both sides is the same, file by file. */
  async function expectSame(source: string, target: string): Promise<void> {
    expect(await contents(world().archive.there, target)).toEqual(await contents(world().source, source));
  }

  testWithZfs(
    "sends everything at first, and what is new later",
    async () => {
      const { source, archive } = world();
      const job = { source: "tank/first", destination: "backup/first" };
      await dataset(source, job.source, 3);
      const first = await run(world(), job);
      expect(first.outcome).toMatchObject({
        status: "ok",
        errors: [],
        warnings: [],
        datasets: [{ status: "ok", base: "tank/first@1", snapshots: ["1", "2", "3"], error: undefined }],
      });
      expect(first.outcome.bytes).toBeGreaterThan(150_000);
      await expectSame(job.source, job.destination);
      for (const [property, value] of [
        ["canmount", "noauto"],
        ["readonly", "on"],
        ["mounted", "no"],
      ] as const) {
        expect(await archive.there.get(property, job.destination)).toBe(value);
      }

      await change(source, job.source, "4", 4);
      await change(source, job.source, "5", 5);
      const second = await run(world(), job);
      expect(second.outcome).toMatchObject({
        status: "ok",
        datasets: [{ status: "ok", base: "tank/first@3", snapshots: ["4", "5"], newest: { name: "5" } }],
      });
      await expectSame(job.source, job.destination);
      expect((await run(world(), job)).outcome).toMatchObject({
        status: "ok",
        bytes: 0,
        datasets: [{ status: "current", snapshots: [] }],
      });

      // The base of the next run cannot be lost, and nothing else is kept.
      await expect(source.zfs("destroy", "tank/first@5")).rejects.toThrow("busy");
      for (const name of ["1", "2", "3", "4"]) await source.zfs("destroy", `tank/first@${name}`);
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "takes the children along, whatever they are called, but those that are left out",
    async () => {
      const { source, archive } = world();
      const names = ["", "/two words", "/two words/12:30", "/cache", "/cache/below"];
      for (const name of names) await dataset(source, `tank/tree${name}`, 2, 16 * 1024);
      await source.zfs("snapshot", "tank/tree/two words@at 12:45");
      const job = {
        ...{ source: "tank/tree", destination: "backup/tree", recursive: true },
        exclude: ["tank/tree/cache"],
      };
      const { outcome } = await run(world(), job);
      expect(outcome).toMatchObject({ status: "ok", errors: [], warnings: [] });
      expect(outcome.datasets.map((each) => each.target)).toEqual([
        "backup/tree",
        "backup/tree/two words",
        "backup/tree/two words/12:30",
      ]);
      for (const name of names.slice(0, 3)) await expectSame(`tank/tree${name}`, `backup/tree${name}`);
      await expect(archive.there.get("guid", "backup/tree/cache")).rejects.toThrow("does not exist");
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "goes on from a snapshot that was renamed",
    async () => {
      const { source, archive } = world();
      const job = { source: "tank/renamed", destination: "backup/renamed" };
      await dataset(source, job.source, 1);
      await run(world(), job);
      await source.zfs("rename", "tank/renamed@1", "tank/renamed@other");
      await change(source, job.source, "2", 2);
      const { outcome } = await run(world(), job);
      expect(outcome).toMatchObject({
        status: "ok",
        datasets: [{ status: "ok", base: "tank/renamed@other", snapshots: ["2"] }],
      });
      await expectSame(job.source, job.destination);
      expect((await archive.there.snapshots(job.destination)).map(({ name }) => name)).toEqual(["1", "2"]);
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "refuses a target that was written to, and goes back only when allowed",
    async () => {
      const { source, archive } = world();
      const job = { source: "tank/written", destination: "backup/written" };
      await dataset(source, job.source, 1);
      await run(world(), job);
      const { there } = archive;
      await there.zfs("set", "readonly=off", job.destination);
      await there.zfs("mount", job.destination);
      const { writeFile } = await import("node:fs/promises");
      await writeFile(`${await there.mount(job.destination)}/local change`, "mine");
      await there.zfs("unmount", job.destination);
      await change(source, job.source, "2", 2);

      const refused = await run(world(), job);
      expect(refused.outcome).toMatchObject({
        status: "refused",
        datasets: [{ status: "refused", snapshots: [] }],
      });
      expect(refused.outcome.datasets[0]?.error).toContain("zfs rollback");
      await there.zfs("mount", job.destination);
      expect(await files(there, job.destination)).toHaveProperty("local change");
      await there.zfs("unmount", job.destination);

      const allowed = await run(world(), job, { allowed: { rollback: true, destroyTarget: false } });
      expect(allowed.outcome).toMatchObject({ status: "ok", datasets: [{ snapshots: ["2"] }] });
      await expectSame(job.source, job.destination);
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "refuses a target with a newer snapshot of its own, and says which",
    async () => {
      const { source, archive } = world();
      const job = { source: "tank/foreign", destination: "backup/foreign" };
      await dataset(source, job.source, 1);
      await run(world(), job);
      await archive.there.zfs("snapshot", "backup/foreign@theirs");
      await change(source, job.source, "2", 2);
      const refused = await run(world(), job);
      expect(refused.outcome).toMatchObject({ status: "refused", datasets: [{ status: "refused" }] });
      expect(refused.outcome.datasets[0]?.error).toMatch(
        /archiver: backup\/foreign@theirs.*zfs rollback -r backup\/foreign@1/,
      );
      expect((await archive.there.snapshots(job.destination)).map(({ name }) => name)).toEqual([
        "1",
        "theirs",
      ]);

      const allowed = await run(world(), job, { allowed: { rollback: true, destroyTarget: false } });
      expect(allowed.outcome.status).toBe("ok");
      await expectSame(job.source, job.destination);
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "leaves the target alone when the source has no snapshot any more, or is gone",
    async () => {
      const { source, archive } = world();
      const job = { source: "tank/lost", destination: "backup/lost" };
      await dataset(source, job.source, 1);
      await run(world(), job);
      const before = await contents(archive.there, job.destination);
      await source.zfs("release", "lazyssh:safe", "tank/lost@1");
      await source.zfs("destroy", "tank/lost@1");
      const all = { rollback: true, destroyTarget: true };
      const lost = await run(world(), job, { allowed: all });
      expect(lost.outcome).toMatchObject({ status: "refused", datasets: [{ status: "refused" }] });
      expect(lost.outcome.datasets[0]?.error).toContain("has no snapshot any more");
      const gone = await run(world(), { ...job, source: "tank/never" }, { allowed: all });
      expect(gone.outcome).toMatchObject({ status: "refused", bootSeconds: undefined });
      expect(await contents(archive.there, job.destination)).toEqual(before);
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "goes on with the others when one of three children fails, and tries none below one that is not there",
    async () => {
      const { source, archive } = world();
      const job = { source: "tank/three", destination: "backup/three", recursive: true };
      for (const name of ["", "/a", "/b", "/c"]) await dataset(source, `tank/three${name}`, 1, 16 * 1024);
      await run(world(), job);
      await archive.there.zfs("set", "quota=200K", "backup/three/b");
      for (const name of ["/a", "/b", "/c"]) await change(source, `tank/three${name}`, "2", 9, 1024 * 1024);
      const { outcome } = await run(world(), job);
      expect(outcome.status).toBe("partial");
      expect(outcome.datasets.map(({ status }) => status)).toEqual(["current", "ok", "failed", "ok"]);
      expect(outcome.datasets[2]?.error).toMatch(/tank\/three\/b .*(quota|space).*make room/);
      for (const name of ["/a", "/c"]) await expectSame(`tank/three${name}`, `backup/three${name}`);

      await archive.there.zfs("set", "quota=none", "backup/three/b");
      expect((await run(world(), job)).outcome.status).toBe("ok");
      await expectSame("tank/three/b", "backup/three/b");

      await archive.there.zfs("create", "-o", "quota=200K", "backup/tight");
      await dataset(source, "tank/large", 1, 1024 * 1024);
      await dataset(source, "tank/large/small", 1, 16 * 1024);
      const tight = await run(world(), {
        source: "tank/large",
        destination: "backup/tight/large",
        recursive: true,
      });
      expect(tight.outcome).toMatchObject({
        status: "failed",
        datasets: [
          { status: "failed" },
          { status: "skipped", error: expect.stringContaining("is not there") },
        ],
      });
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "goes on after a run that died between receiving and keeping it safe",
    async () => {
      const { source, archive } = world();
      const job = { source: "tank/died", destination: "backup/died" };
      await dataset(source, job.source, 2);
      const [send = "", ...args] = source.wrap(["zfs", "send", "tank/died@1"]);
      const sender = archive.start(send, args);
      const receiver = archive.start("ssh", ["-F", archive.sshConfig, "archiver", "zfs recv -u backup/died"]);
      sender.process.stdout.pipe(receiver.process.stdin);
      expect(await receiver.ended).toMatchObject({ code: 0 });
      expect(await archive.there.get("canmount", job.destination)).toBe("on");

      const { outcome } = await run(world(), job);
      expect(outcome).toMatchObject({ status: "ok", datasets: [{ base: "tank/died@1", snapshots: ["2"] }] });
      expect(await archive.there.get("canmount", job.destination)).toBe("noauto");
      expect(await archive.there.get("readonly", job.destination)).toBe("on");
      await expectSame(job.source, job.destination);
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "pulls as it pushes",
    async () => {
      const { source, archive } = world();
      const job = { direction: "pull", source: "backup/pulled", destination: "tank/pulled" } as const;
      await dataset(archive.there, job.source, 2);
      expect((await run(world(), job)).outcome).toMatchObject({
        ...{ status: "ok", errors: [], warnings: [] },
        datasets: [{ status: "ok", snapshots: ["1", "2"] }],
      });
      await change(archive.there, job.source, "3", 3);
      expect((await run(world(), job)).outcome).toMatchObject({
        datasets: [{ base: "backup/pulled@2", snapshots: ["3"] }],
      });
      expect(await contents(source, job.destination)).toEqual(await contents(archive.there, job.source));
      expect(await source.get("canmount", job.destination)).toBe("noauto");
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "keeps on the target what the job wants kept, of its own snapshots only",
    async () => {
      const { source, archive } = world();
      const none = { last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
      const job = { source: "tank/kept", destination: "backup/kept", keep: { ...none, last: 2 } };
      await dataset(source, job.source, 2, 16 * 1024);
      const first = await run(world(), job);
      await archive.there.zfs("snapshot", "backup/kept@theirs");
      await source.zfs("destroy", "tank/kept@1");
      await archive.there.zfs("destroy", "backup/kept@theirs");
      await change(source, job.source, "3", 3, 16 * 1024);
      await change(source, job.source, "4", 4, 16 * 1024);
      // Of the first one only the state of the job tells that it came from the source.
      const forgotten = await run(world(), job);
      expect(forgotten.outcome.datasets[0]?.destroyed).toEqual(["backup/kept@2"]);
      const { outcome } = await run(world(), job, { remembered: first.remembered });
      expect(outcome.datasets[0]).toMatchObject({ status: "current", destroyed: ["backup/kept@1"] });
      expect((await archive.there.snapshots(job.destination)).map(({ name }) => name)).toEqual(["3", "4"]);
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "says what is missing before anything is sent",
    async () => {
      const { source } = world();
      await dataset(source, "tank/words", 1, 16 * 1024);
      const noParent = await run(world(), { source: "tank/words", destination: "backup/no/such" });
      expect(noParent.outcome).toMatchObject({ status: "failed", datasets: [{ status: "skipped" }] });
      expect(noParent.outcome.errors.join()).toContain("zfs create -p -o mountpoint=none backup/no");
      const noPool = await run(world(), { source: "tank/words", destination: "nopool/words" });
      expect(noPool.outcome.status).toBe("failed");
      expect(noPool.outcome.errors.join()).toContain("zpool import -N nopool");
      const noZfs = await run(world(), {
        source: "tank/words",
        destination: "backup/words",
        remoteZfs: "no-zfs",
      });
      expect(noZfs.outcome.status).toBe("failed");
      expect(noZfs.outcome.errors.join()).toContain("--remote-zfs");
      const before = await run(world(), {
        ...{ source: "tank/words", destination: "backup/words" },
        before: ["sh", "-c", "echo not ready >&2; exit 3"],
      });
      expect(before.outcome).toMatchObject({ status: "failed", bytes: 0, datasets: [] });
      expect(before.outcome.errors.join()).toMatch(/"before".*status 3 on archiver.*not ready/);
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "is no success when what has to follow fails",
    async () => {
      const { source } = world();
      await dataset(source, "tank/after", 1, 16 * 1024);
      const job = { source: "tank/after", destination: "backup/after" };
      const failed = await run(world(), { ...job, after: ["sh", "-c", "echo cannot export >&2; exit 1"] });
      expect(failed.outcome).toMatchObject({ status: "partial", datasets: [{ status: "ok" }] });
      expect(failed.outcome.errors.join()).toMatch(/"after".*status 1.*cannot export/);
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "scrubs the target's pool when that is due",
    async () => {
      const { source } = world();
      await dataset(source, "tank/scrubbed", 1, 16 * 1024);
      const job = { source: "tank/scrubbed", destination: "backup/scrubbed", scrubEveryMs: 86_400_000 };
      const { outcome, remembered } = await run(world(), job);
      expect(outcome).toMatchObject({ status: "ok", scrub: { pool: "backup", state: "finished" } });
      expect(outcome.scrub?.result).toContain("0 errors");
      expect(remembered?.scrubbedAt).toBeGreaterThan(outcome.startedAt);
      const again = await run(world(), job);
      expect(again.outcome.scrub).toEqual(outcome.scrub);
      expect(again.said.join()).not.toContain("scrub is due");
    },
    TIMEOUT_MS,
  );
});
