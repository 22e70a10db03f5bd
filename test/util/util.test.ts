import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/util/clock.ts";
import { deadline } from "../../src/util/deadline.ts";
import { writeDurably } from "../../src/util/durable.ts";
import { formatDuration } from "../../src/util/duration.ts";
import { asLazysshError, LazysshError, messageOf } from "../../src/util/errors.ts";
import { nearest } from "../../src/util/nearest.ts";
import { backoffMs, growingInterval, persist } from "../../src/util/retry.ts";
import { SimClock } from "../harness/sim-clock.ts";
import { tempDir } from "../harness/temp.ts";

describe("systemClock", () => {
  it("rejects a sleep with the reason of its signal", async () => {
    const stop = new AbortController();
    const sleep = systemClock.sleep(60_000, stop.signal);
    stop.abort(new Error("enough"));
    await expect(sleep).rejects.toThrow("enough");
    await expect(systemClock.sleep(1, stop.signal)).rejects.toThrow("enough");
  });
});

describe("deadline", () => {
  it("aborts when the time is up, with the reason as it is then", async () => {
    const clock = new SimClock();
    let standing = "started";
    const limit = deadline(clock, 1_000, () => new Error(standing));
    standing = "half way";
    await clock.advance(999);
    expect(limit.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(limit.signal.reason).toEqual(new Error("half way"));
  });

  it("aborts with what it is linked to", () => {
    const parent = new AbortController();
    const limit = deadline(new SimClock(), 1_000, () => new Error("late"), parent.signal);
    parent.abort(new Error("parent"));
    expect(limit.signal.reason).toEqual(new Error("parent"));
    expect(deadline(new SimClock(), 1_000, () => "late", parent.signal).signal.aborted).toBe(true);
  });

  it("never aborts once disposed", async () => {
    const clock = new SimClock();
    const parent = new AbortController();
    const limit = deadline(clock, 1_000, () => new Error("late"), parent.signal);
    limit[Symbol.dispose]();
    await clock.advance(5_000);
    parent.abort(new Error("parent"));
    expect(limit.signal.aborted).toBe(false);
  });
});

describe("persist", () => {
  const loop = (
    clock: SimClock,
    attempt: () => Promise<string | undefined>,
    signal = new AbortController().signal,
  ) => {
    const retries: number[] = [];
    const answer = persist({
      clock,
      signal,
      interval: () => 100,
      attempt,
      onRetry: ({ waitMs }) => retries.push(waitMs),
    });
    answer.catch(() => undefined);
    return { answer, retries };
  };

  it("asks until there is an answer, waiting out failures that may pass", async () => {
    const clock = new SimClock();
    const script = [
      undefined,
      new LazysshError("THROTTLED", "slow down", { retryable: true }),
      undefined,
      "yes",
    ];
    const { answer, retries } = loop(clock, async () => {
      const next = script.shift();
      if (next instanceof Error) throw next;
      return next;
    });
    await clock.advance(2_000);
    await expect(answer).resolves.toBe("yes");
    expect(retries).toHaveLength(1);
  });

  it("throws at once what will not pass", async () => {
    const { answer } = loop(new SimClock(), async () => {
      throw new LazysshError("BAD_REQUEST", "no such image");
    });
    await expect(answer).rejects.toThrow("no such image");
  });

  it("ends with the reason of its signal while it waits", async () => {
    const clock = new SimClock();
    const stop = new AbortController();
    const { answer } = loop(clock, async () => undefined, stop.signal);
    await clock.advance(250);
    stop.abort(new Error("nobody waits"));
    await expect(answer).rejects.toThrow("nobody waits");
  });
});

describe("backoff and intervals", () => {
  it("stay within their bounds", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), (attempt) => {
        const wait = backoffMs(attempt);
        expect(wait).toBeGreaterThanOrEqual(Math.min(500 * 2 ** (attempt - 1), 15_000) * 0.74);
        expect(wait).toBeLessThanOrEqual(15_000);
      }),
    );
    const interval = growingInterval(0.1, 50, 1_000);
    expect([0, 600, 5_000, 1e9].map(interval)).toEqual([50, 60, 500, 1_000]);
  });
});

describe("writeDurably", () => {
  it("replaces the file whole, for its user alone, and leaves nothing beside it", async () => {
    const path = join(tempDir(), "file");
    await writeDurably(path, "old");
    await writeDurably(path, "new");
    expect(readFileSync(path, "utf8")).toBe("new");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(path, ".."))).toEqual(["file"]);
  });
});

describe("formatDuration", () => {
  it.each([
    [0, "0 ms"],
    [350, "350 ms"],
    [4_200, "4.2 s"],
    [30_000, "30 s"],
    [300_000, "5m"],
    [5_430_000, "1h30m30s"],
  ])("%i ms is %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe("nearest", () => {
  it.each([
    ["archivr", ["archiver", "build"], "archiver"],
    ["ARCHIVER", ["archiver"], "archiver"],
    ["check_prot", ["check_port", "key_name"], "check_port"],
    ["zzz", ["archiver"], undefined],
    ["x".repeat(1_000), ["x"], undefined],
    ["a", [], undefined],
  ])("%s among %j is %s", (word, candidates, expected) => {
    expect(nearest(word, candidates)).toBe(expected);
  });
});

describe("errors", () => {
  it("keep their code, and give one to what has none", () => {
    const known = new LazysshError("NO_CAPACITY", "none left");
    expect(asLazysshError(known)).toBe(known);
    expect(asLazysshError("odd")).toMatchObject({ code: "INTERNAL", message: "odd" });
    expect(messageOf(Object.create(null))).toBe("something that cannot be shown was thrown");
    expect(messageOf(new AggregateError([new Error("a"), new Error("b")], ""))).toBe("a; b");
  });
});
