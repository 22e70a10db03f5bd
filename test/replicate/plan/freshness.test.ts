import { expect, test } from "vitest";
import { freshness } from "../../../src/replicate/plan/freshness.ts";

const now = 1_000_000_000;
const seconds = now / 1000;

test.each<[string, Record<string, number | undefined>, "fresh" | "stale", unknown]>([
  ["all young", { a: seconds - 10, b: seconds - 20 }, "fresh", { dataset: "b", ageMs: 20_000 }],
  ["just as old as may be", { a: seconds - 60 }, "fresh", { dataset: "a", ageMs: 60_000 }],
  ["one of them too old", { a: seconds - 61, b: seconds }, "stale", { dataset: "a", ageMs: 61_000 }],
  [
    "one without any",
    { a: seconds - 999, b: undefined, c: seconds },
    "stale",
    { dataset: "b", ageMs: undefined },
  ],
  ["made by a clock that is ahead", { a: seconds + 30 }, "fresh", { dataset: "a", ageMs: 0 }],
  ["no dataset at all", {}, "stale", undefined],
])("%s", (_, newest, status, worst) => {
  expect(freshness({ newest: new Map(Object.entries(newest)), maxAgeMs: 60_000, now })).toEqual({
    status,
    worst,
  });
});
