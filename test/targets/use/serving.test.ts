import { describe, expect, it } from "vitest";
import { settled } from "../../harness/sim-clock.ts";
import { served } from "../world.ts";

const HOUR = 3_600_000;

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
