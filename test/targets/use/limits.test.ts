import { describe, expect, it } from "vitest";
import { settled } from "../../harness/sim-clock.ts";
import { served, world } from "../world.ts";

const HOUR = 3_600_000;

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
