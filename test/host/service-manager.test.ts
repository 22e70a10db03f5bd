import { describe, expect, it, onTestFinished } from "vitest";
import { createSystemd } from "../../src/host/systemd.ts";
import { createEventStream } from "../../src/observe/index.ts";
import { SimClock } from "../harness/sim-clock.ts";

/** What is told of a host whose state the test sets. */
async function told(watchdogMs?: number) {
  const clock = new SimClock();
  const events = createEventStream();
  const sent: string[] = [];
  const host = { well: true, does: "nothing" };
  const systemd = createSystemd({
    notifier: { send: (...all) => void sent.push(all.join(" ")), settled: async () => undefined },
    events,
    clock,
    watchdogMs,
  });
  onTestFinished(() => systemd.close());
  systemd.started({ healthy: () => host.well, status: () => host.does });
  expect(sent.splice(0)).toEqual(["READY=1 STATUS=nothing"]);
  const count = (what: string) => sent.filter((message) => message === what).length;
  return { clock, events, sent, host, systemd, count };
}

const something = { type: "server.notice", reason: "something happens" } as const;
const EXTEND = "EXTEND_TIMEOUT_USEC=60000000";

describe("a service manager", () => {
  it("is told at half the time that it gave, as long as the host is well", async () => {
    const { clock, host, count } = await told(60_000);
    await clock.advance(300_000);
    expect(count("WATCHDOG=1")).toBe(10);
    host.well = false;
    await clock.advance(300_000);
    expect(count("WATCHDOG=1")).toBe(10);
  });

  it("hears nothing of a watchdog when it wants none", async () => {
    const { clock, sent } = await told();
    await clock.advance(3_600_000);
    expect(sent).toEqual([]);
  });

  it("has the status when it is another, not more often than every two seconds", async () => {
    const { clock, events, host, sent } = await told();
    for (let step = 1; step <= 100; step++) {
      host.does = `thing ${step}`;
      events.emit(something);
      await clock.advance(100);
    }
    expect(sent.length).toBeLessThanOrEqual(5);
    await clock.advance(2_000);
    expect(sent.at(-1)).toBe("STATUS=thing 100");
    const before = sent.length;
    events.emit(something);
    await clock.advance(10_000);
    expect(sent).toHaveLength(before);
  });

  it("is asked for more time as long as channels are waited for, and for an hour in which machines are ended", async () => {
    const { clock, events, count, sent } = await told();
    events.emit({ type: "server.draining", signal: "SIGTERM", seconds: 36_000, channels: [] });
    expect(sent).toEqual([`STOPPING=1 ${EXTEND}`]);
    await clock.advance(36_000_000);
    expect(count(EXTEND)).toBe(1_800);
    events.emit({ type: "server.stopping", signal: "SIGTERM", machines: [] });
    await clock.advance(36_000_000);
    expect(count(EXTEND) - 1_800).toBeLessThanOrEqual(180);
    expect(count(EXTEND) - 1_800).toBeGreaterThanOrEqual(179);
    expect(sent.filter((message) => message.startsWith("STOPPING"))).toHaveLength(1);
  });

  it("hears nothing more once it is closed", async () => {
    const { clock, events, sent, systemd } = await told(10_000);
    await systemd.close();
    events.emit({ type: "server.stopping", signal: "SIGTERM", machines: [] });
    await clock.advance(3_600_000);
    expect(sent).toEqual([]);
  });
});
