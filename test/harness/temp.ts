import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished, type TestContext } from "vitest";

/** For `rm`: a process that is just being killed may still make a file in it. */
export const GONE = { recursive: true, force: true, maxRetries: 5, retryDelay: 50 } as const;

/**
 * A folder of the running test's own, removed when it is over.
 * @param test Its context; needed of tests that run beside each other, of which vitest only knows the one that was started last.
 */
export function tempDir(test: Pick<TestContext, "onTestFinished"> = { onTestFinished }): string {
  const dir = mkdtempSync(join(tmpdir(), "lazyssh-test-"));
  test.onTestFinished(() => rmSync(dir, GONE));
  return dir;
}
