import { describe, expect } from "vitest";
import { testWithZfs } from "../../harness/zfs-needs.ts";
import { change, contents, dataset, run, useRunWorld } from "./world.ts";

const TIMEOUT_MS = 60_000;

describe("a run", () => {
  const world = useRunWorld();

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
      expect(await contents(archive.there, job.destination)).toEqual(await contents(source, job.source));
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
      expect(await contents(archive.there, job.destination)).toEqual(await contents(source, job.source));
      expect((await run(world(), job)).outcome).toMatchObject({
        status: "ok",
        bytes: 0,
        datasets: [{ status: "current", snapshots: [] }],
      });
    },
    TIMEOUT_MS,
  );
});
