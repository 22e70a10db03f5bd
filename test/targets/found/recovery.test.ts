import { describe, expect, it } from "vitest";
import { LazysshError } from "../../../src/util/errors.ts";
import { settled } from "../../harness/sim-clock.ts";
import { world } from "../world.ts";

describe("a fleet that starts where an earlier run has left something", () => {
  it("adopts, at the next start, the machine that a crash left behind, and serves with it", async () => {
    const { ask, clock, cloud, journal, start, quiet } = world();
    const asked = ask();
    await clock.until(() => asked.settled, 10_000);
    expect(journal.records.size).toBe(1);
    const successor = start(); // the first fleet is forgotten, as by SIGKILL
    await successor.recover();
    const after = ask({ from: successor });
    await clock.until(() => after.settled, 30_000);
    expect(after.lease?.host).toBe("10.0.0.1");
    expect(cloud.machines).toHaveLength(1);
    after.lease?.release();
    await clock.until(quiet, 5_000);
    expect(journal.records.size).toBe(0);
  });

  it("looks at its start at a machine that was left at rest, and ends it when it is not to rest any more", async () => {
    const { ask, clock, cloud, journal, start } = world({ stopMode: "stop" });
    const atRest = async () => {
      const asked = ask();
      await clock.until(() => asked.settled, 10_000);
      asked.lease?.release();
      await clock.until(() => cloud.resting.length === 1, 10_000);
      await settled();
    };
    await atRest();
    expect([...journal.records.values()]).toMatchObject([{ machine: "i-1", rests: true }]);
    const successor = start();
    await successor.recover();
    await clock.advance(300_000);
    expect(cloud.resting).toHaveLength(1);
    const again = ask({ from: successor });
    await clock.until(() => again.settled, 10_000);
    expect([...journal.records.values()].map(({ rests }) => rests)).toEqual([undefined]);
    again.lease?.release();
    await clock.until(() => cloud.resting.length === 1, 10_000);

    await start(undefined, { stopMode: "terminate" }).recover();
    await clock.until(() => cloud.resting.length === 0 && cloud.volumeFree, 10_000);
    await clock.until(() => journal.records.size === 0, 1_000);
    expect(cloud.machines).toHaveLength(1);

    await atRest();
    for (const machine of cloud.resting) machine.endedAt = clock.now() - 10_000; // by somebody else
    await start().recover();
    await clock.until(() => journal.records.size === 0, 1_000);
  });

  it("ends an adopted machine when nobody comes for it", async () => {
    const { ask, clock, cloud, start, quiet } = world();
    const asked = ask();
    await clock.until(() => asked.settled, 10_000);
    await start().recover();
    await clock.advance(20_000);
    expect(cloud.running).toHaveLength(1);
    await clock.until(quiet, 20_000);
  });

  it("ends a machine left behind that no longer answers, and starts a new one", async () => {
    const { ask, clock, cloud, start, port } = world({ bootTimeoutMs: 20_000 });
    const asked = ask();
    await clock.until(() => asked.settled, 10_000);
    port.delayMs = 3_600_000;
    const successor = start();
    await successor.recover();
    const refused = ask({ from: successor });
    await clock.until(() => refused.settled, 21_000);
    expect(refused.error?.code).toBe("BOOT_TIMEOUT");
    port.delayMs = 1_000;
    const after = ask({ from: successor });
    await clock.until(() => after.lease !== undefined, 20_000);
    expect(cloud.machines).toHaveLength(2);
    expect(cloud.mostRunning).toBe(1);
  });

  it("finds by its tag, and adopts, a machine that the journal does not know", async () => {
    const { ask, clock, cloud, journal, start } = world();
    const asked = ask();
    await clock.until(() => asked.settled, 10_000);
    journal.records.clear();
    const successor = start();
    await successor.recover();
    const after = ask({ from: successor });
    await clock.until(() => after.lease !== undefined, 20_000);
    expect(cloud.machines).toHaveLength(1);
  });

  it("ends a machine with its mark that nobody looks after, but not at first sight", async () => {
    const { ask, clock, cloud } = world({ lingerMs: 3_600_000 });
    const asked = ask();
    await clock.until(() => asked.settled, 10_000);
    await cloud.create({ token: "of nobody", alternative: 0, notes: {} });
    await clock.advance(70_000);
    expect(cloud.running).toHaveLength(2);
    await clock.until(() => cloud.running.length === 1, 120_000);
    expect(cloud.running[0]?.token).not.toBe("of nobody");
    expect(asked.lease?.signal.aborted).toBe(false);
  });

  it("ends the machine of a target that is not configured any more", async () => {
    const { ask, clock, cloud, journal, start, seen } = world();
    const asked = ask();
    await clock.until(() => asked.settled, 10_000);
    await start(undefined, { name: "renamed" }).recover();
    expect(seen).toContainEqual(
      expect.objectContaining({
        reason: expect.stringMatching(/target "archiver" may still be running \(i-1/),
      }),
    );
    await clock.until(() => cloud.running.length === 0 && journal.records.size === 0, 300_000);
  });

  it("serves, with a warning, where it may not list, and still ends what its journal names", async () => {
    const { ask, clock, cloud, seen, start, quiet } = world();
    cloud.fault = (verb) => {
      if (verb === "list") throw new LazysshError("NOT_PERMITTED", "not allowed to list");
    };
    const asked = ask();
    await clock.until(() => asked.lease !== undefined, 20_000);
    expect(seen).toContainEqual(
      expect.objectContaining({ reason: expect.stringContaining("not allowed to list") }),
    );
    await start().recover(); // after a crash
    await clock.until(quiet, 60_000);
  });

  it("starts nothing as long as the cloud does not say what already runs", async () => {
    const { ask, clock, cloud } = world();
    cloud.fault = (verb) => {
      if (verb === "list") throw new LazysshError("CLOUD_UNREACHABLE", "ECONNREFUSED", { retryable: true });
    };
    const refused = ask();
    await clock.until(() => refused.settled, 61_000);
    expect(refused.error?.message).toContain("what already runs, so nothing was started");
    expect(cloud.machines).toHaveLength(0);
    cloud.fault = () => undefined;
    const asked = ask();
    await clock.until(() => asked.lease !== undefined, 30_000);
  });

  it("ends a machine whose order was written down but not yet answered when the crash came", async () => {
    const { ask, clock, cloud, journal, start, quiet } = world();
    cloud.lost = () => clock.sleep(3_600_000);
    ask();
    await clock.until(() => cloud.machines.length === 1, 5_000);
    expect([...journal.records.values()][0]?.machine).toBeUndefined();
    const successor = start();
    await successor.recover();
    await clock.until(() => quiet() && journal.records.size === 0, 120_000);
  });

  it("does wait, and names it meanwhile, for a machine that an earlier run has left", async () => {
    const { ask, clock, cloud, start, quiet } = world();
    const asked = ask();
    await clock.until(() => asked.settled, 10_000);
    cloud.fault = () => {
      throw new LazysshError("CLOUD_UNREACHABLE", "ECONNREFUSED", { retryable: true });
    };
    const successor = start();
    await successor.recover();
    let closed = false;
    void successor.close().then(() => {
      closed = true;
    });
    await clock.advance(60_000);
    expect([closed, successor.running()]).toEqual([false, ["i-1"]]);
    cloud.fault = () => undefined;
    await clock.until(() => closed, 60_000);
    expect(quiet()).toBe(true);
  });
});
