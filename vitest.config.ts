import { defineConfig } from "vitest/config";

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
  },
});
