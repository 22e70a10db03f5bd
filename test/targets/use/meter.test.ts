import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMeter, openMeter } from "../../../src/targets/index.ts";
import { tempDir } from "../../harness/temp.ts";

const DAY = 86_400_000;
const MORNING = 20_000 * DAY + 6 * 3_600_000;

describe("machine time", () => {
  it("counts what runs and what has run, of each target by itself", () => {
    const meter = createMeter();
    meter.begin("a", "a1", MORNING);
    meter.begin("a", "a2", MORNING + 1_000);
    meter.begin("b", "b1", MORNING);
    meter.end("a1", MORNING + 10_000);
    meter.end("a1", MORNING + 20_000);
    expect(meter.usedToday("a", MORNING + 11_000)).toBe(20_000);
    expect(meter.usedToday("b", MORNING + 11_000)).toBe(11_000);
    expect(meter.usedToday("c", MORNING + 11_000)).toBe(0);
  });

  it("begins anew at midnight UTC, for a machine that runs on as well", () => {
    const meter = createMeter();
    const midnight = MORNING + 18 * 3_600_000;
    meter.begin("a", "a1", midnight - 5_000);
    expect(meter.usedToday("a", midnight - 1)).toBe(4_999);
    expect(meter.usedToday("a", midnight + 2_000)).toBe(2_000);
    meter.end("a1", midnight + 3_000);
    expect(meter.usedToday("a", midnight + 4_000)).toBe(3_000);
  });

  it("never goes back within a day, whatever is begun and ended", () => {
    const step = fc.record({ token: fc.nat(3), ms: fc.nat(100_000), begins: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const meter = createMeter();
        let now = MORNING;
        let used = 0;
        for (const { token, ms, begins } of steps) {
          now += Math.min(ms, MORNING + 17 * 3_600_000 - now);
          if (begins) meter.begin("a", `t${token}`, now);
          else meter.end(`t${token}`, now);
          expect(meter.usedToday("a", now)).toBeGreaterThanOrEqual(used);
          used = meter.usedToday("a", now);
        }
      }),
    );
  });
});

describe("machine time over restarts", () => {
  const noProblem = (error: unknown) => expect.unreachable(String(error));

  it("is there again, and a machine that may still run goes on counting", async () => {
    const dir = tempDir();
    const first = await openMeter(dir, new Set(), noProblem);
    first.begin("a", "over", MORNING);
    first.end("over", MORNING + 5_000);
    first.begin("a", "runs", MORNING + 5_000);
    first.begin("a", "vanished", MORNING + 5_000);
    await first.settled();
    const second = await openMeter(dir, new Set(["runs"]), noProblem);
    expect(second.usedToday("a", MORNING + 15_000)).toBe(15_000);
  });

  it("begins at nothing with a file that makes no sense, and says when it cannot be written", async () => {
    const dir = tempDir();
    writeFileSync(join(dir, "usage.json"), "{ nonsense");
    const problems: unknown[] = [];
    const meter = await openMeter(join(dir, "not", "there"), new Set(), (error) => problems.push(error));
    meter.begin("a", "t", MORNING);
    await meter.settled();
    expect(problems).toHaveLength(1);
    expect(meter.usedToday("a", MORNING + 1_000)).toBe(1_000);
    const other = await openMeter(dir, new Set(), noProblem);
    expect(other.usedToday("a", MORNING)).toBe(0);
  });
});
