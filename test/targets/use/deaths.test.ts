import { describe, expect, it } from "vitest";
import { LazysshError } from "../../../src/util/errors.ts";
import { world } from "../world.ts";

describe("a fleet with a machine in use", () => {
  it("notices within seconds that a machine in use has died, and tells who used it", async () => {
    const { ask, clock, cloud } = world();
    const asked = ask();
    await clock.until(() => asked.settled, 10_000);
    cloud.kill("Server.SpotInstanceTermination: spot notice");
    await clock.until(() => asked.lease?.signal.aborted === true, 15_000);
    expect(String(asked.lease?.signal.reason)).toContain("spot notice");
    const again = ask();
    await clock.until(() => again.lease !== undefined, 20_000);
    expect(cloud.machines).toHaveLength(2);
  });

  it("tells of a death also when the connections ended with the machine, before it was looked at again, and once", async () => {
    const { ask, clock, cloud, seen, quiet } = world();
    const deaths = () => seen.filter(({ type }) => type === "machine.failed");
    for (const dies of [false, true]) {
      const asked = ask();
      await clock.until(() => asked.settled, 10_000);
      if (dies) cloud.kill("Client.UserInitiatedShutdown: User initiated shutdown");
      asked.lease?.release();
      await clock.until(quiet, 10_000);
      expect(deaths()).toHaveLength(dies ? 1 : 0);
    }
    const reason =
      "archiver: machine i-2 was terminated: Client.UserInitiatedShutdown: User initiated shutdown";
    expect(deaths()).toMatchObject([{ machine: "i-2", code: "MACHINE_DIED", reason }]);

    const asked = ask();
    await clock.until(() => asked.settled, 10_000);
    cloud.kill("Server.SpotInstanceTermination");
    await clock.until(() => asked.lease?.signal.aborted === true && quiet(), 15_000);
    expect(deaths()).toHaveLength(2);
  });

  it("notices within 15 s that a port does not answer any more, however lately something moved", async () => {
    for (let lately = 0; lately <= 10_000; lately += 500) {
      const { ask, clock, seen, port } = world();
      const asked = ask();
      await clock.until(() => asked.settled, 10_000);
      let bytes = 0;
      asked.lease?.carries(() => ({ total: bytes, fromMachine: bytes }));
      await clock.advance(lately);
      bytes += 1;
      port.answers = false;
      await clock.until(() => seen.some(({ type }) => type === "machine.unfit"), 15_000);
      asked.lease?.release();
    }
  });

  it("stops a machine that has served for its max_lifetime, and tells who uses it", async () => {
    const { ask, clock, cloud, quiet } = world({ maxLifetimeMs: 3_600_000, lingerMs: 600_000 });
    const asked = ask();
    await clock.until(() => asked.settled, 10_000);
    asked.lease?.release();
    await clock.advance(300_000);
    const again = ask(); // in between, it lingered
    await clock.advance(3_200_000);
    expect(again.lease?.signal.aborted).toBe(false);
    await clock.until(() => again.lease?.signal.aborted === true, 200_000);
    expect(again.lease?.signal.reason).toMatchObject({
      code: "LIFETIME_OVER",
      message: "archiver: machine i-1 has served for its max_lifetime of 1h and is stopped",
    });
    await clock.until(quiet, 10_000);
    const fresh = ask();
    await clock.until(() => fresh.lease !== undefined, 20_000);
    expect(cloud.machines).toHaveLength(2);
  });

  it("does not cut anybody off while the cloud cannot be reached", async () => {
    const { ask, clock, cloud, quiet } = world();
    const asked = ask();
    await clock.until(() => asked.settled, 10_000);
    cloud.fault = () => {
      throw new LazysshError("CLOUD_UNREACHABLE", "ECONNREFUSED", { retryable: true });
    };
    await clock.advance(120_000);
    expect(asked.lease?.signal.aborted).toBe(false);
    asked.lease?.release();
    await clock.advance(60_000);
    expect(cloud.running).toHaveLength(1);
    cloud.fault = () => undefined;
    await clock.until(quiet, 30_000);
  });
});
