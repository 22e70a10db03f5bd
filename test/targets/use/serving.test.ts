import { describe, expect, it } from "vitest";
import { settled } from "../../harness/sim-clock.ts";
import { world } from "../world.ts";

const HOUR = 3_600_000;

/** A world with one client that has the machine, and moves bytes as told. */
async function served(overrides: Parameters<typeof world>[0] = {}) {
  const w = world(overrides);
  const first = w.ask();
  await w.clock.until(() => first.settled, 20_000);
  const wire = { bytes: 100, fromMachine: 50 };
  first.lease?.carries(() => ({ total: wire.bytes, fromMachine: wire.fromMachine }));
  const reason = () => (first.lease?.signal.reason as { message?: string } | undefined)?.message ?? "";
  return { ...w, first, wire, reason };
}

describe("a machine that the cloud is about to take away", () => {
  it("is told of at once, with the clients that use it, and nobody new is let to it", async () => {
    const { ask, clock, cloud, seen, first } = await served();
    for (const machine of cloud.machines) machine.notice = "interrupted at 12:02";
    await clock.advance(15_000);
    expect(seen).toContainEqual({
      type: "machine.notice",
      target: "archiver",
      machine: "i-1",
      reason: "interrupted at 12:02",
      clients: ["192.0.2.7"],
    });
    const late = ask();
    await settled();
    expect(late.settled).toBe(false);
    cloud.kill("Server.SpotInstanceTermination");
    await clock.until(() => late.settled, 60_000);
    expect(late.error).toBeUndefined();
    expect(first.lease?.signal.aborted).toBe(true);
    expect(cloud.machines).toHaveLength(2);
  });

  it("is ended at once when it only lingers", async () => {
    const { clock, cloud, first, quiet } = await served({ lingerMs: HOUR });
    first.lease?.release();
    for (const machine of cloud.machines) machine.notice = "interrupted soon";
    await clock.until(quiet, 20_000);
  });
});

describe("a machine whose port does not answer any more", () => {
  it("is told of within 15 seconds, and takes new connections again when it answers", async () => {
    const { ask, clock, seen, port, cloud } = await served();
    port.answers = false;
    const from = clock.now();
    await clock.until(() => seen.some(({ type }) => type === "machine.unfit"), 60_000);
    expect(clock.now() - from).toBeLessThanOrEqual(15_000);
    port.answers = true;
    await clock.until(() => seen.some(({ type }) => type === "machine.fit"), 20_000);
    const late = ask();
    await settled();
    expect(late.lease?.host).toBe("10.0.0.1");
    expect(cloud.machines).toHaveLength(1);
  });

  it("is left to who uses it as long as nobody waits for another", async () => {
    const { clock, port, first, cloud } = await served();
    port.answers = false;
    await clock.advance(HOUR);
    expect(first.lease?.signal.aborted).toBe(false);
    expect(cloud.machines).toHaveLength(1);
  });

  it("is taken from who uses it, once it is silent, for somebody who waits", async () => {
    const { ask, clock, port, first, cloud, reason } = await served();
    port.answers = false;
    await clock.advance(15_000);
    const late = ask();
    await clock.until(() => first.lease?.signal.aborted === true, 30_000);
    expect(reason()).toMatch(/machine i-1 runs, but does not answer any more/);
    port.answers = true;
    await clock.until(() => late.settled, 60_000);
    expect(late.error).toBeUndefined();
    expect(cloud.machines).toHaveLength(2);
    expect(cloud.mostRunning).toBe(1);
  });

  it("is never taken from somebody who moves bytes, whoever waits", async () => {
    const { ask, clock, port, first, wire, cloud } = await served({ bootTimeoutMs: HOUR });
    port.answers = false;
    await clock.advance(15_000);
    const late = ask();
    for (let second = 0; second < 600; second++) {
      wire.bytes += 1_000;
      await clock.advance(1_000);
    }
    expect(first.lease?.signal.aborted).toBe(false);
    expect(late.settled).toBe(false);
    first.lease?.release();
    port.answers = true;
    await clock.until(() => late.settled, 60_000);
    expect(cloud.machines).toHaveLength(2);
  });

  it("is taken from who has never had a byte from it: then it hung already when they came", async () => {
    const { clock, port, first, wire, quiet } = await served();
    wire.fromMachine = 0;
    port.answers = false;
    await clock.until(() => first.lease?.signal.aborted === true, 40_000);
    await clock.until(quiet, 20_000);
  });

  it("is known at once by who cannot connect to it, even while others move bytes; they wait for it, or its successor", async () => {
    const { ask, clock, port, wire, first, cloud } = await served();
    port.answers = false;
    const late = ask();
    await settled();
    const well = late.lease?.stillRuns();
    let answer: boolean | undefined;
    void well?.then((is) => {
      answer = is;
    });
    for (let second = 0; second < 20; second++) {
      wire.bytes += 1_000;
      await clock.advance(1_000);
    }
    expect(answer).toBe(false);
    late.lease?.release();
    const again = ask();
    await settled();
    expect(again.settled).toBe(false);
    expect(first.lease?.signal.aborted).toBe(false);
    port.answers = true;
    await clock.until(() => again.settled, 30_000);
    expect(cloud.machines).toHaveLength(1);
  });

  it("does not keep anybody waiting for ever: who waits in front of it is told why", async () => {
    const { ask, clock, port, wire } = await served({ bootTimeoutMs: 60_000 });
    port.answers = false;
    await clock.advance(15_000);
    const late = ask();
    for (let second = 0; second < 70; second++) {
      wire.bytes += 1_000;
      await clock.advance(1_000);
    }
    expect(late.error?.message).toMatch(
      /machine i-1 takes no new connections \(.*does not answer.*\), and those it has did not end within 1m/,
    );
  });

  it("is not even knocked at while bytes move", async () => {
    const { clock, port, wire, seen } = await served();
    port.answers = false;
    for (let second = 0; second < 60; second++) {
      wire.bytes += 1;
      await clock.advance(1_000);
    }
    expect(seen.map(({ type }) => type)).not.toContain("machine.unfit");
  });
});

describe("limits", () => {
  it("idle_timeout stops a machine whose connections have been silent for so long, and says why", async () => {
    const { clock, wire, first, reason, seen, quiet } = await served({ idleTimeoutMs: 600_000 });
    await clock.advance(500_000);
    wire.bytes += 1;
    await clock.advance(500_000);
    expect(first.lease?.signal.aborted).toBe(false);
    await clock.until(quiet, 200_000);
    expect(reason()).toMatch(/nothing has gone through .* idle_timeout of 10m/);
    expect(seen).toContainEqual(expect.objectContaining({ type: "limit.reached", limit: "idle_timeout" }));
  });

  it("idle_timeout does not shorten the linger", async () => {
    const { clock, cloud, first } = await served({ idleTimeoutMs: 10_000, lingerMs: HOUR });
    first.lease?.release();
    await clock.advance(HOUR / 2);
    expect(cloud.running).toHaveLength(1);
  });

  it("budget stops the machine when its hours of the day are used up, and refuses the next until midnight UTC", async () => {
    const { ask, clock, cloud, reason, quiet, seen } = await served({ budgetMsPerDay: HOUR });
    await clock.advance(HOUR - 120_000);
    expect(cloud.running).toHaveLength(1);
    await clock.until(quiet, 200_000);
    expect(reason()).toMatch(/budget of 1 hours a day is used up until midnight UTC/);
    expect(seen).toContainEqual(expect.objectContaining({ type: "limit.reached", limit: "budget" }));
    const refused = ask();
    await settled();
    expect(refused.error).toMatchObject({ code: "BUDGET_REACHED" });
    await clock.advance(86_400_000 - (clock.now() % 86_400_000));
    const next = ask();
    await clock.until(() => next.settled, 20_000);
    expect(next.error).toBeUndefined();
  });

  it("max_machines refuses a machine too many, of the target and of all targets", async () => {
    const ofTarget = world({ shared: false, maxMachines: 1 });
    const first = ofTarget.ask();
    await ofTarget.clock.until(() => first.settled, 20_000);
    const second = ofTarget.ask();
    await settled();
    expect(second.error?.message).toMatch(/archiver: 1 machine of this target there is already/);
    first.lease?.release();
    await ofTarget.clock.until(ofTarget.quiet, 20_000);
    const third = ofTarget.ask();
    await ofTarget.clock.until(() => third.settled, 20_000);
    expect(third.error).toBeUndefined();

    const ofAll = world({ shared: false }, undefined, { maxMachines: 1 });
    const one = ofAll.ask();
    await ofAll.clock.until(() => one.settled, 20_000);
    const two = ofAll.ask();
    await settled();
    expect(two.error).toMatchObject({ code: "LIMIT_REACHED" });
  });
});

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
