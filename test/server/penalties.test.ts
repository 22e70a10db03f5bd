import { describe, expect, test } from "vitest";
import { type Offence, Penalties } from "../../src/server/penalties.ts";

const S = 1_000;
const MIN = 60 * S;
const HERE = "192.0.2.7";

/** Offences at these seconds; answers how long the source is refused after each, in seconds. */
const refused = (penalties: Penalties, offence: Offence, ...seconds: number[]): number[] =>
  seconds.map((second) => {
    penalties.add(HERE, offence, second * S);
    return Math.max(0, ((penalties.heldUntil(HERE, second * S) ?? 0) - second * S) / S);
  });

describe("failed logins", () => {
  test("three in a row, by somebody who types, cost nothing; nor do slow ones, however many", () => {
    expect(refused(new Penalties(), "failed_logins", 0, 3, 6)).toEqual([0, 0, 0]);
    expect(refused(new Penalties(), "failed_logins", 0, 5, 10, 15, 20, 25, 30)).toEqual(Array(7).fill(0));
  });

  test("in quick succession are refused from the third on, for a quarter of a minute", () => {
    expect(refused(new Penalties(), "failed_logins", 0, 0, 0)).toEqual([0, 0, 15]);
  });

  test("that go on after that are refused for twice as long each time, ten minutes at most", () => {
    const penalties = new Penalties();
    const holds: number[] = [];
    let at = 0;
    for (let round = 0; round < 8; round++) {
      const [, , hold = 0] = refused(penalties, "failed_logins", at, at, at);
      holds.push(hold);
      at += hold;
    }
    expect(holds).toEqual([15, 30, 60, 120, 240, 480, 600, 600]);
    // Ten minutes of peace, and it begins anew.
    expect(refused(penalties, "failed_logins", at + 601, at + 601, at + 601)).toEqual([0, 0, 15]);
  });
});

test("two broken protocols are refused, or one and one who dawdled; a single one is not", () => {
  expect(refused(new Penalties(), "broke_protocol", 0, 1)).toEqual([0, 19]);
  const mixed = new Penalties();
  expect(mixed.add(HERE, "dawdled", 0)).toBeUndefined();
  expect(mixed.add(HERE, "broke_protocol", 2 * S)).toEqual({ until: 20 * S, offence: "broke_protocol" });
});

test("what was under way when a penalty came into force neither lengthens it nor is told again", () => {
  const penalties = new Penalties();
  refused(penalties, "broke_protocol", 0, 0);
  expect(penalties.add(HERE, "broke_protocol", 1 * S)).toBeUndefined();
  expect(penalties.heldUntil(HERE, 1 * S)).toBe(20 * S);
  expect(penalties.heldUntil(HERE, 20 * S)).toBeUndefined();
});

test("a login lifts the penalty, and no other is given for an hour", () => {
  const penalties = new Penalties();
  refused(penalties, "broke_protocol", 0, 0);
  penalties.trust(HERE, 1 * S);
  expect(penalties.heldUntil(HERE, 1 * S)).toBeUndefined();
  expect(refused(penalties, "broke_protocol", 59 * 60, 59 * 60, 59 * 60)).toEqual([0, 0, 0]);
  expect(refused(penalties, "broke_protocol", 61 * 60, 61 * 60)).toEqual([0, 20]);
});

test("others are not refused, and a hundred thousand of them do not fill the memory or forget who is trusted", () => {
  const penalties = new Penalties();
  penalties.trust(HERE, 0);
  const before = process.memoryUsage().heapUsed;
  for (let n = 0; n < 100_000; n++)
    penalties.add(`2001:db8:${n >> 16}:${n & 65_535}::/64`, "broke_protocol", MIN);
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(16 * 1024 * 1024);
  expect(penalties.heldUntil("198.51.100.1", MIN)).toBeUndefined();
  expect(refused(penalties, "broke_protocol", 61, 61)).toEqual([0, 0]);
});
