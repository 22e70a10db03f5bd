import { expect, it } from "vitest";
import { type Clock, systemClock } from "../../src/util/clock.ts";
import type { ToOwner, ToWorker } from "../../src/workers/messages.ts";
import { createSeat, type End } from "../../src/workers/seat.ts";
import { SimClock } from "../harness/sim-clock.ts";
import { lives } from "../harness/workers.ts";
import { eventually } from "../harness/world.ts";

interface Plan {
  readonly says: readonly ToOwner[];
  /** Undefined: it stays. */
  readonly code?: number;
}

/** A place whose workers do one after the other what was planned; the last plan is everybody's who comes later. */
function seat(...plans: Plan[]) {
  return seatWith(systemClock, ...plans);
}

function seatWith(clock: Clock, ...plans: Plan[]) {
  const ends: End[] = [];
  const troubles: unknown[] = [];
  const heard: ToOwner[] = [];
  let begun = 0;
  const made = createSeat({
    program: new URL("../fixtures/ill-worker.mjs", import.meta.url),
    clock,
    begin() {
      const plan = plans[Math.min(begun, plans.length - 1)];
      begun += 1;
      return { type: "begin", server: plan } as unknown as ToWorker;
    },
    onReady: () => undefined,
    onMessage: (message) => heard.push(message),
    onEnded: (end) => ends.push(end),
    onTrouble: (error) => troubles.push(error),
  });
  return { made, ends, troubles, heard, begun: () => begun };
}

const READY: ToOwner = { type: "ready" };

it("a worker that ends before it is ready cannot be started", async () => {
  const { made } = seat({ says: [], code: 3 });
  await expect(made.start()).rejects.toThrow("a worker ended with exit code 3 before it was ready");
  expect(made.ready).toBe(false);
});

it("one that says why it cannot is believed, and ended", async () => {
  const error = { code: "CONFIG_INVALID", message: "a bad key", retryable: false } as const;
  const { made } = seat({ says: [{ type: "unable", error }] });
  await expect(made.start()).rejects.toMatchObject({ code: "CONFIG_INVALID", message: "a bad key" });
});

it("one that ends has a successor, however many of those fail, and all that it said is heard first", async () => {
  const said: ToOwner = { type: "tooMany", source: "192.0.2.1" };
  const { made, ends, troubles, heard, begun } = seat(
    { says: [READY, said], code: 1 },
    { says: [], code: 2 },
    { says: [READY] },
  );
  await made.start();
  await eventually("the end", () => ends.length === 1);
  expect(ends[0]).toMatchObject({ how: "ended with exit code 1" });
  expect(heard).toContainEqual(said);
  await eventually("a successor", () => made.ready);
  expect([begun(), troubles.length, ends.length]).toEqual([3, 1, 1]);
  // It does not end by itself.
  await made.close(50);
  expect([made.ready, ends.length]).toEqual([false, 2]);
  expect(ends[1]?.how).toBe("was killed by SIGKILL");
  expect(lives(ends[1]?.pid ?? 0)).toBe(false);
});

it("one that hangs is killed after half a minute, and has a successor; one that works is not", async () => {
  const clock = new SimClock();
  const { made, ends, heard } = seatWith(clock, { says: [READY, { type: "tooMany", source: "its pid" }] });
  await made.start();
  const answers = () => heard.filter(({ type }) => type === "pong").length;
  const answered = (second: number) => eventually("an answer", () => answers() > second / 5);
  for (let second = 0; second < 60; second += 5) {
    await answered(second);
    await clock.advance(5_000);
  }
  await answered(60);
  expect([made.ready, ends]).toEqual([true, []]);

  const [pid = 0] = heard.flatMap((message) => (message.type === "tooMany" ? [Number(message.source)] : []));
  process.kill(pid, "SIGSTOP");
  await clock.advance(25_000);
  expect(ends).toEqual([]);
  await clock.advance(10_000);
  await eventually("its end", () => ends.length === 1);
  expect(ends[0]).toEqual({ pid, how: "did not answer for 30 s and was killed" });
  await clock.advance(1_000);
  await eventually("another one", () => made.ready);
  const closed = made.close(50);
  await clock.advance(100);
  await closed;
});
