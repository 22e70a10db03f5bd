import { expect, it } from "vitest";
import { createRateLimit } from "../../../src/replicate/pipeline/rate-limit.ts";
import type { Clock } from "../../../src/util/clock.ts";

const { signal } = new AbortController();

/** Its sleeps are over at once, and late by what `late` says, as timers are. */
class HastyClock implements Clock {
  time = 1_000;
  longest = 0;
  readonly #late: () => number;

  constructor(late: () => number) {
    this.#late = late;
  }

  now(): number {
    return this.time;
  }

  async sleep(ms: number): Promise<void> {
    this.longest = Math.max(this.longest, ms);
    this.time += ms + this.#late();
  }
}

it.each([
  ["on time", () => 0],
  ["late by a few milliseconds", () => 4],
  [
    "now and then late by a lot",
    (() => {
      let count = 0;
      return () => (++count % 50 === 0 ? 150 : 1);
    })(),
  ],
])("lets the rate through within 2 %% with timers that are %s, and smoothly", async (_, late) => {
  const clock = new HastyClock(late);
  const rate = 30_000_000;
  const limit = createRateLimit(clock, rate);
  const total = 20 * rate;
  for (let sent = 0; sent < total; sent += 65_536) await limit.take(65_536, signal);
  const seconds = (clock.now() - 1_000) / 1_000;
  expect(total / seconds / rate).toBeGreaterThan(0.98);
  expect(total / seconds / rate).toBeLessThan(1.02);
  expect(clock.longest).toBeLessThan(20);
});

it("makes up for a pause of the sender by a quarter of a second at most", async () => {
  const clock = new HastyClock(() => 0);
  const limit = createRateLimit(clock, 1_000_000);
  await limit.take(10_000, signal);
  clock.time += 60_000;
  const before = clock.now();
  for (let sent = 0; sent < 1_250_000; sent += 10_000) await limit.take(10_000, signal);
  expect(clock.now() - before).toBeGreaterThan(990);
});

it("goes on when the clock is set back", async () => {
  const clock = new HastyClock(() => 0);
  const limit = createRateLimit(clock, 1_000_000);
  await limit.take(10_000, signal);
  clock.time -= 3_600_000;
  await limit.take(10_000, signal);
  expect(clock.longest).toBeLessThan(300);
});
