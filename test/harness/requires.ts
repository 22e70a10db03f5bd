import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type TestContext, test } from "vitest";

/** Runs a test only where its programs are installed. */
export type TestWith = (
  name: string,
  run: (test: TestContext) => Promise<void> | void,
  timeoutMs?: number,
) => void;

/** Something other than a program on the PATH that a test needs. */
export interface Need {
  /** As it is called when it is missing. */
  readonly name: string;
  readonly isHere: boolean;
}

/**
 * A `test` for what needs programs beyond node and an OpenSSH client: `const itWith = requires("rsync")`, then
 * `itWith("copies a tree", async () => …)`. Where one is missing the test is skipped, loudly and by name; under
 * `CI=true` it fails instead, so that no run is green by doing nothing.
 */
export function requires(...needs: readonly [string | Need, ...(string | Need)[]]): TestWith {
  const missing = needs
    .filter((need) => !(typeof need === "string" ? isOnPath(need) : need.isHere))
    .map((need) => (typeof need === "string" ? need : need.name));
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
  return skipping(lack);
}

/** Skips loudly and by name. */
export function skipping(lack: string): TestWith {
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

/**
 * An `ssh` of OpenSSH 10 or newer: the one that the environment variable LAZYSSH_TEST_OPENSSH10 names, where there is an
 * older one on the PATH.
 */
export interface OpenSsh10 extends Need {
  readonly path: string;
}

export function openSsh10(): OpenSsh10 {
  const path = process.env.LAZYSSH_TEST_OPENSSH10 ?? "ssh";
  const name = "OpenSSH 10 (the path of its ssh in LAZYSSH_TEST_OPENSSH10)";
  try {
    const version = execFileSync("sh", ["-c", '"$0" -V 2>&1', path]).toString();
    return { name, path, isHere: Number(/^OpenSSH_(\d+)/.exec(version)?.[1] ?? 0) >= 10 };
  } catch {
    return { name, path, isHere: false };
  }
}

/** The Python whose modules Debian packages; one that stands before it on the PATH does not have them. */
export const PYTHON = "/usr/bin/python3";

/** A Python module of Debian's package `python3-NAME`. */
export function pythonModule(name: string): Need {
  const isHere = existsSync(PYTHON) && existsSync(`/usr/lib/python3/dist-packages/${name}`);
  return { name: `Python's module ${name}`, isHere };
}
