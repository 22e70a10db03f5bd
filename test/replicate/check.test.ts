import { describe, expect, it } from "vitest";
import { type CheckInput, judge } from "../../src/replicate/check.ts";

const NOW = 1_764_115_800_000;
const HOUR = 3_600_000;

/** Dataset → age of its newest snapshot in seconds. */
function given(ages: Record<string, number | undefined>, more: Partial<CheckInput> = {}): CheckInput {
  const entries = Object.entries(ages);
  return {
    job: "safe",
    source: "target",
    expected: entries.map(([name]) => name),
    newest: new Map(entries.map(([name, age]) => [name, age === undefined ? undefined : NOW / 1_000 - age])),
    maxAgeMs: HOUR,
    now: NOW,
    ...more,
  };
}

const HISTORY = "What became of its runs: lazyssh replicate history safe";

describe("judge", () => {
  it.each<[string, CheckInput, string[]]>([
    ["fresh", given({ a: 725 }), ["OK - safe: newest snapshot 12m old (limit 1h)"]],
    ["fresh to the second", given({ a: 3_600 }), ["OK - safe: newest snapshot 1h old (limit 1h)"]],
    [
      "of the future, by a clock that is off",
      given({ a: -50 }),
      ["OK - safe: newest snapshot 0 s old (limit 1h)"],
    ],
    [
      "as old as its oldest part",
      given({ a: 10, b: 725 }, { source: "last verified run" }),
      ["OK - safe: 2 datasets, newest snapshot of the oldest 12m old (limit 1h), by the last verified run"],
    ],
    [
      "too old",
      given({ a: 3 * 86_400 }),
      [`STALE - safe: newest snapshot 3 days old (limit 1h). ${HISTORY}`, "a: newest snapshot 3 days old"],
    ],
    [
      "too old in part",
      given({ a: 10, b: 3_601, "c d": undefined }),
      [
        `STALE - safe: 2 of 3 datasets, the worst: no snapshot (limit 1h). ${HISTORY}`,
        "b: newest snapshot 1h old",
        "c d: no snapshot",
      ],
    ],
    [
      "never run",
      given({ a: undefined }, { source: "last verified run" }),
      ["STALE - safe: no run has verified anything yet. Let it run: lazyssh replicate safe"],
    ],
    [
      "nothing there",
      given({}),
      ["STALE - safe: the target has no snapshot of it. Let it run: lazyssh replicate safe"],
    ],
    [
      "not known",
      given({ a: 1 }, { problem: "archiver does not\nanswer\u001b[2J" }),
      ["FAILED - safe: its age is not known: archiver does not answer [2J"],
    ],
  ])("is in words what it is: %s", (_, input, lines) => {
    expect(judge(input).lines).toEqual(lines);
  });

  it("is told as JSON, with the exit code", () => {
    expect(judge(given({ a: 10, b: undefined })).json).toEqual({
      job: "safe",
      status: "stale",
      source: "target",
      max_age_seconds: 3_600,
      age_seconds: null,
      worst: "b",
      datasets: [
        { source: "a", newest: "2025-11-26T00:09:50.000Z", age_seconds: 10 },
        { source: "b", newest: null, age_seconds: null },
      ],
      error: null,
      exit_code: 6,
    });
    expect(judge(given({ a: 10 })).json).toMatchObject({
      status: "ok",
      exit_code: 0,
      age_seconds: 10,
      worst: "a",
    });
    expect(judge(given({ a: 10 }, { problem: "no" })).json).toMatchObject({
      status: "failed",
      exit_code: 1,
      error: "no",
    });
  });

  it("does not count a dataset that is not expected any more, and misses one that is", () => {
    expect(judge(given({ gone: 10_000_000, a: 5 }, { expected: ["a"] })).status).toBe("ok");
    expect(judge(given({ a: 5 }, { expected: ["a", "new"] })).status).toBe("stale");
  });
});
