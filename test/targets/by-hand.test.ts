import { describe, expect, it } from "vitest";
import { served, world } from "./world.ts";

const HOUR = 3_600_000;

describe("by hand", () => {
  const hold = (w: ReturnType<typeof world>, more: { forMs?: number; lift?: boolean } = {}) => {
    const told: string[] = [];
    const held = w.fleet.hold("archiver", {
      forMs: more.forMs,
      lift: more.lift ?? false,
      signal: new AbortController().signal,
      onWaiting: (what) => told.push(what),
    });
    return { held, told };
  };

  it("starts a machine, says what it waits for, and keeps it until it is dropped", async () => {
    const w = world();
    const { held, told } = hold(w);
    let ready = false;
    void held.then(() => {
      ready = true;
    });
    await w.clock.until(() => ready, 20_000);
    expect(told).toContain("machine i-1 is pending");
    await w.clock.advance(10 * HOUR);
    const [status] = w.fleet.status();
    expect(status?.machines).toMatchObject([
      { state: "ready", machine: "i-1", host: "10.0.0.1", leases: [{ kind: "by hand", status: "held" }] },
    ]);
    expect(await w.fleet.drop("archiver", { cut: false })).toEqual({ machines: ["i-1"], kept: [] });
    await w.clock.until(w.quiet, 20_000);
    expect(w.fleet.status()[0]?.machines).toEqual([]);
  });

  it("keeps it for a time only, which a second call sets anew", async () => {
    const w = world();
    const { held } = hold(w, { forMs: HOUR });
    await w.clock.until(() => w.fleet.status()[0]?.machines[0]?.state === "ready", 20_000);
    await held;
    await w.clock.advance(HOUR / 2);
    await hold(w, { forMs: HOUR }).held;
    await w.clock.advance(HOUR * 0.75);
    expect(w.cloud.running).toHaveLength(1);
    await w.clock.until(w.quiet, HOUR / 2);
  });

  it("does not take a machine from its connections unless told to cut them, and then says why", async () => {
    const w = await served({ lingerMs: HOUR });
    const { kept } = await w.fleet.drop("archiver", { cut: false });
    expect(kept).toMatchObject([{ kind: "channel", client: "192.0.2.7", status: "held" }]);
    await w.clock.advance(60_000);
    expect(w.cloud.running).toHaveLength(1);
    await w.fleet.drop("archiver", { cut: true });
    expect(w.reason()).toMatch(/stopped by hand/);
    await w.clock.until(w.quiet, 20_000);
  });

  it("cuts a start short, and tells who waits", async () => {
    const w = world();
    const asked = w.ask();
    await w.clock.until(() => w.cloud.machines.length === 1, 5_000);
    await w.fleet.drop("archiver", { cut: true });
    await w.clock.until(() => asked.settled && w.quiet(), 20_000);
    expect(asked.error).toMatchObject({ code: "ENDED_BY_HAND" });
    expect(w.journal.records.size).toBe(0);
  });

  it("ends the linger", async () => {
    const w = await served({ lingerMs: HOUR });
    w.first.lease?.release();
    expect(await w.fleet.drop("archiver", { cut: false })).toEqual({ machines: ["i-1"], kept: [] });
    await w.clock.until(w.quiet, 20_000);
  });

  it("lifts the budget for today, max_lifetime and idle_timeout for the machine there is", async () => {
    const w = await served({ budgetMsPerDay: 60_000, maxLifetimeMs: 120_000, idleTimeoutMs: 120_000 });
    await w.clock.until(w.quiet, 200_000);
    const { held } = hold(w, { lift: true });
    await w.clock.until(() => w.fleet.status()[0]?.machines[0]?.state === "ready", 20_000);
    await held;
    await w.clock.advance(HOUR);
    expect(w.cloud.running).toHaveLength(1);
    // The day is over, and with it what was lifted.
    await w.clock.advance(86_400_000 - (w.clock.now() % 86_400_000));
    await w.clock.until(w.quiet, 200_000);
  });

  it("is refused for a target without a machine of its own, and for one that is not there", async () => {
    const w = world();
    const options = {
      forMs: undefined,
      lift: false,
      signal: new AbortController().signal,
      onWaiting: () => {},
    };
    await expect(w.fleet.hold("home", options)).rejects.toMatchObject({ code: "BAD_REQUEST" });
    await expect(w.fleet.hold("hom", options)).rejects.toMatchObject({ code: "UNKNOWN_TARGET" });
    await expect(w.fleet.drop("hom", { cut: false })).rejects.toMatchObject({ code: "UNKNOWN_TARGET" });
  });
});
