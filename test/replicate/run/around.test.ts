import { describe, expect } from "vitest";
import { testWithZfs } from "../../harness/zfs-needs.ts";
import { change, dataset, run, useRunWorld } from "./world.ts";

const TIMEOUT_MS = 60_000;

describe("around its transfers a run", () => {
  const world = useRunWorld();

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
      expect(failed.outcome).toMatchObject({ status: "failed", datasets: [{ status: "ok" }] });
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
