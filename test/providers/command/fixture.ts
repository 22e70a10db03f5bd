import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import type { CommandTarget } from "../../../src/config/types.ts";

/** See there. */
export const MACHINE = fileURLToPath(new URL("../../fixtures/machine.mjs", import.meta.url));

/** A target whose commands are lines of shell in a folder of the test's own. */
export function commandTarget(patch: Partial<CommandTarget> = {}): CommandTarget {
  return {
    type: "command",
    name: "archiver",
    checkPort: 22,
    ports: undefined,
    portMap: new Map(),
    ready: "auto",
    shared: true,
    lingerMs: 0,
    bootTimeoutMs: 300_000,
    maxLifetimeMs: undefined,
    idleTimeoutMs: undefined,
    maxMachines: undefined,
    budgetMsPerDay: undefined,
    beforeStop: undefined,
    stopMode: "terminate",
    hourlyPrice: undefined,
    start: ["sleep", "60"],
    foreground: true,
    stop: undefined,
    status: undefined,
    stoppedExitCodes: [3],
    to: "127.0.0.1",
    addressCommand: undefined,
    environment: {},
    workingDirectory: undefined,
    startTimeoutMs: 20_000,
    stopTimeoutMs: 20_000,
    statusTimeoutMs: 20_000,
    ...patch,
  };
}

export const sh = (line: string): readonly string[] => ["sh", "-c", line];

/** A folder that is removed after the test; the machines that were booted in it end with it. */
export function folderOfTest(): string {
  const folder = mkdtempSync(join(tmpdir(), "lazyssh-command-"));
  onTestFinished(() => {
    for (const pid of pidsIn(folder)) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    }
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Those that the machines of a test have written to `machine.log`. */
export function pidsIn(folder: string): number[] {
  return logIn(folder).flatMap((line) => (line.startsWith("boot ") ? [Number(line.slice(5))] : []));
}

export function logIn(folder: string): string[] {
  try {
    return readFileSync(join(folder, "machine.log"), "utf8")
      .split("\n")
      .filter((line) => line !== "");
  } catch {
    return [];
  }
}

/** One that has ended and waits to be reaped, as orphans may, does not run. */
export function runsNow(pid: number): boolean {
  try {
    process.kill(pid, 0);
    if (process.platform !== "linux") return true;
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
