import fc from "fast-check";
import { expect, test } from "vitest";
import { createWindowBudget } from "../../src/server/window-budget.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

test("the first channels get all they want, the last ones the least, and a bound holds for all", () => {
  const budget = createWindowBudget(24 * MIB);
  const windows = Array.from({ length: 256 }, () => budget.take(8 * MIB));
  expect(windows[0]).toBe(8 * MIB);
  expect(windows[1]).toBeGreaterThan(5 * MIB);
  expect(windows.at(-1)).toBe(64 * KIB);
  expect(windows.reduce((sum, window) => sum + window)).toBeLessThan(40 * MIB);
});

test("with a small first share a thousand windows that do nothing leave something to grow by", () => {
  const budget = createWindowBudget(2048 * MIB, { firstShare: 1 / 256 });
  const windows = Array.from({ length: 1000 }, () => budget.take(8 * MIB));
  expect(windows[0]).toBe(8 * MIB);
  expect(windows[100]).toBeGreaterThan(5 * MIB);
  expect(windows.at(-1)).toBeGreaterThan(128 * KIB);
  expect(budget.more(8 * MIB)).toBe(8 * MIB);
});

test("what is left over is for those whose windows grow, but the last of it is not", () => {
  const whole = createWindowBudget(64 * MIB);
  const part = createWindowBudget(24 * MIB, { whole });
  const first = part.take(256 * KIB);
  expect(first).toBe(256 * KIB);
  expect(part.more(512 * KIB)).toBe(512 * KIB);
  expect(part.more(16 * MIB)).toBe(Math.floor((24 * MIB - 768 * KIB) / 3));
  while (part.more(MIB) > 0);
  expect(part.exhausted()).toBe(false);
  expect(part.take(256 * KIB)).toBe(64 * KIB);
  expect(whole.more(64 * MIB)).toBeGreaterThan(12 * MIB);
});

test("a part gets no more than the whole has, and what is given back can be had again", () => {
  const whole = createWindowBudget(MIB);
  const part = createWindowBudget(32 * MIB, { whole });
  expect(part.take(2 * MIB)).toBe(Math.floor(MIB / 3));
  while (!whole.exhausted()) whole.take(2 * MIB);
  expect(part.exhausted()).toBe(true);
  expect(part.take(2 * MIB)).toBe(64 * KIB);
  part.give(64 * KIB + Math.floor(MIB / 3));
  expect(part.exhausted()).toBe(false);
});

test("nothing is lost, whatever is taken and given back", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 200 }), (steps) => {
      const whole = createWindowBudget(8 * MIB);
      const part = createWindowBudget(4 * MIB, { whole });
      const held: number[] = [];
      for (const take of steps) {
        if (take) held.push(part.take(2 * MIB));
        else part.give(held.pop() ?? 0);
      }
      for (const window of held) part.give(window);
      expect([part.take(64 * MIB), whole.take(64 * MIB)]).toEqual([
        Math.floor((4 * MIB) / 3),
        Math.floor((8 * MIB - Math.floor((4 * MIB) / 3)) / 3),
      ]);
    }),
  );
});
