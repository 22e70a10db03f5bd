import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { test } from "vitest";

/** Runs a test only where its programs are installed. */
export type TestWith = (name: string, run: () => Promise<void> | void, timeoutMs?: number) => void;

/**
 * A `test` for what needs programs beyond node and an OpenSSH client: `const itWith = requires("rsync")`, then
 * `itWith("copies a tree", async () => …)`. Where one is missing the test is skipped, loudly and by name; under
 * `CI=true` it fails instead, so that no run is green by doing nothing.
 */
export function requires(...programs: readonly [string, ...string[]]): TestWith {
  const missing = programs.filter((program) => !isOnPath(program));
  if (missing.length === 0) {
    return (name, run, timeoutMs) => test(name, run, timeoutMs);
  }
  const lack = `needs ${missing.join(" and ")}`;
  if (process.env.CI === "true") {
    return (name) =>
      test(name, () => {
        throw new Error(`${lack}: install it, a run under CI may not skip tests`);
      });
  }
  return (name) => {
    console.warn(`skipped: ${name} (${lack})`);
    test.skipIf(true)(`${name} [skipped: ${lack}]`, () => undefined);
  };
}

/** Whether an executable of this name is in one of the PATH folders (or the sbin ones, where servers live). */
function isOnPath(program: string): boolean {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return folder !== "";
    } catch {
      return false;
    }
  });
}
