import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Large files begin first, as the ones that take long mostly are; these are small, and would be waited for alone at the end. */
const SMALL_AND_LONG = ["test/fuzz/fuzz.test.ts", "test/providers/command/guest.test.ts"];

class LongOnesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) =>
      SMALL_AND_LONG.some((path) => moduleId.endsWith(`/${path}`));
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/setup.ts"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    maxWorkers: 3,
    // Of one file's concurrent tests: they wait for machines, most of the time.
    maxConcurrency: 12,
    reporters: ["default"],
    sequence: { sequencer: LongOnesFirst },
  },
});
