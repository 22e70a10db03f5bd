import { expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../../src/server/limits.ts";
import { BEATS_PER_KEEPALIVE, createPulse } from "../../src/server/pulse.ts";

test("with the defaults a vanished client is asked every 15 s and given up within 60 s", () => {
  const log: string[] = [];
  const pulse = createPulse(DEFAULT_LIMITS, {
    ask: () => log.push("ask"),
    dead: (reason) => log.push(reason),
  });
  const beatMs = DEFAULT_LIMITS.keepaliveMs / BEATS_PER_KEEPALIVE;
  pulse.heard();
  const when: number[] = [];
  for (let at = beatMs; at <= 60_000 && log.length < 4; at += beatMs) {
    pulse.beat();
    if (log.length > when.length) when.push(at);
  }
  expect(log).toEqual(["ask", "ask", "ask", "the client gave no sign of life for 55 s"]);
  expect(when).toEqual([15_000, 30_000, 45_000, 55_000]);
});

test("one sign of life starts the count again", () => {
  let dead = false;
  const pulse = createPulse(
    { keepaliveMs: 15_000, deadAfterMs: 55_000 },
    {
      ask: () => undefined,
      dead: () => {
        dead = true;
      },
    },
  );
  for (let n = 0; n < 100; n++) {
    if (n % 10 === 0) pulse.heard();
    pulse.beat();
  }
  expect(dead).toBe(false);
});
