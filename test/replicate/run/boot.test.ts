import { describe, expect } from "vitest";
import { testWithZfs } from "../../harness/zfs-needs.ts";
import { change, contents, dataset, run, useRunWorld } from "./world.ts";

const TIMEOUT_MS = 60_000;

describe("a machine that is not up", () => {
  const world = useRunWorld({ up: false });

  testWithZfs(
    "is started once for a run, let go at its end, and not started when nothing is new",
    async () => {
      const { source, archive } = world();
      const job = { source: "tank/lazy", destination: "backup/lazy", recursive: true };
      for (const name of ["", "/a", "/b"]) await dataset(source, `tank/lazy${name}`, 2, 16 * 1024);
      const first = await run(world(), job);
      expect(first.outcome).toMatchObject({ status: "ok", errors: [] });
      expect(first.outcome.bootSeconds).toBeGreaterThan(0.2);
      expect(first.outcome.machineSeconds).toBeGreaterThan(first.outcome.bootSeconds ?? 0);
      await archive.quiet();
      expect(archive.calls("RunInstances")).toBe(1);

      const { remembered } = first;
      const idle = await run(world(), job, { remembered });
      expect(idle.outcome).toMatchObject({
        ...{ status: "ok", bootSeconds: undefined, machineSeconds: undefined, bytes: 0 },
        datasets: [1, 2, 3].map(() => ({ status: "current", newest: { name: "2" } })),
      });
      expect(idle.remembered).toBeUndefined();
      expect(archive.calls("RunInstances")).toBe(1);

      await change(source, "tank/lazy/b", "3", 3, 16 * 1024);
      const next = await run(world(), job, { remembered });
      expect(next.outcome.datasets.map(({ status }) => status)).toEqual(["current", "current", "ok"]);
      const look = await run(world(), { ...job, maxAgeMs: 1 }, { remembered: next.remembered });
      expect(look.outcome).toMatchObject({ status: "ok", bytes: 0 });
      expect(look.outcome.bootSeconds).toBeGreaterThan(0);

      const session = await archive.session();
      for (const name of ["", "/a", "/b"]) {
        expect(await contents(archive.there, `backup/lazy${name}`)).toEqual(
          await contents(source, `tank/lazy${name}`),
        );
      }
      await session[Symbol.asyncDispose]();
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "is a failure that says why when it does not come",
    async () => {
      const { source } = world();
      await dataset(source, "tank/unreachable", 1, 16 * 1024);
      const job = { source: "tank/unreachable", destination: "backup/unreachable" };
      const { outcome } = await run(world(), { ...job, target: "no-such-host.invalid" });
      expect(outcome).toMatchObject({ status: "failed", bytes: 0 });
      expect(outcome.errors.join()).toContain("cannot reach no-such-host.invalid by ssh");
    },
    TIMEOUT_MS,
  );
});
