import { expect, it } from "vitest";
import { createProgress } from "../../../src/replicate/pipeline/progress.ts";
import { formatBytes } from "../../../src/util/bytes.ts";
import { SimClock } from "../../harness/sim-clock.ts";

const MIB = 1024 * 1024;

function shown(output: { isTTY?: boolean; columns?: number }, totalBytes?: number) {
  const clock = new SimClock();
  const written: string[] = [];
  const progress = createProgress({
    output: { ...output, write: (text) => written.push(text) },
    clock,
    label: "rpool/safe",
    totalBytes,
  });
  return { clock, written, progress };
}

it("writes one line a minute where there is no terminal", async () => {
  const { clock, written, progress } = shown({}, 3.4 * 1024 * MIB);
  for (let second = 0; second <= 125; second++) {
    progress.update(second * 20 * MIB);
    await clock.advance(1_000);
  }
  progress.done();
  expect(written).toEqual([
    "rpool/safe: 1.2 GiB of 3.4 GiB (34 %), 20.0 MiB/s, 1m55s left\n",
    "rpool/safe: 2.3 GiB of 3.4 GiB (68 %), 20.0 MiB/s, 55 s left\n",
  ]);
});

it("rewrites one line on a terminal, at most ten times a second", async () => {
  const { clock, written, progress } = shown({ isTTY: true, columns: 100 }, 100 * MIB);
  for (let step = 0; step <= 100; step++) {
    progress.update(step * MIB);
    await clock.advance(10);
  }
  progress.done();
  expect(written.length).toBeLessThanOrEqual(13);
  const rewrites = written.slice(0, -1);
  expect(rewrites.filter((text) => text.startsWith("\r") && !text.includes("\n"))).toEqual(rewrites);
  expect(written.at(-2)).toBe(
    `\rrpool/safe: 100.0 MiB of 100.0 MiB (100 %), 100.0 MiB/s [${"#".repeat(30)}]\u001b[K`,
  );
  expect(written.at(-1)).toBe("\n");
});

it.each([10, 40, 60, 80, 200])("is never wider than a terminal of %d columns", (columns) => {
  const { written, progress } = shown({ isTTY: true, columns }, 1_000);
  progress.update(500);
  expect(written[0]?.replace("\r", "").replace("\u001b[K", "").length).toBeLessThan(columns);
});

it("does without an estimate, and with one that is exceeded", async () => {
  const without = shown({ isTTY: true });
  await without.clock.advance(1_000);
  without.progress.update(5 * MIB);
  expect(without.written[0]).toBe("\rrpool/safe: 5.0 MiB, 5.0 MiB/s\u001b[K");
  const exceeded = shown({}, MIB);
  await exceeded.clock.advance(60_000);
  exceeded.progress.update(60 * MIB);
  expect(exceeded.written[0]).toBe("rpool/safe: 60.0 MiB of 1.0 MiB (100 %), 1.0 MiB/s\n");
});

it.each([
  [0, "0 B"],
  [1_023, "1023 B"],
  [1_024, "1.0 KiB"],
  [1_048_575, "1.0 MiB"],
  [3.4 * 2 ** 30, "3.4 GiB"],
  [2 ** 90, "1073741824.0 EiB"],
])("writes %d bytes as %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
