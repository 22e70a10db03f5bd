import { mkdtempSync, readFileSync, readlinkSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import type { CommandTarget } from "../../../src/config/types.ts";
import { createCommandProvider } from "../../../src/providers/command/provider.ts";
import type { Provider } from "../../../src/providers/provider.ts";
import { commandTarget } from "../../harness/target.ts";
import { eventually } from "../../harness/world.ts";

/** See there. */
export const MACHINE = fileURLToPath(new URL("../../fixtures/machine.mjs", import.meta.url));

/** Commands of a target may be lines of shell. */
export const sh = (line: string): readonly string[] => ["sh", "-c", line];

/** A folder that is removed after the test; the machines that were booted in it end with it. */
export function folderOfTest(): string {
  const folder = mkdtempSync(join(tmpdir(), "lazyssh-command-"));
  onTestFinished(() => {
    endMachines(folder);
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Pulls the plug of the machines whose folder this is; a number that is another process's by now is left alone. */
export function endMachines(folder: string): void {
  for (const pid of pidsIn(folder)) {
    try {
      if (readlinkSync(`/proc/${pid}/cwd`).startsWith(realpathSync(folder))) process.kill(pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
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

export const never = new AbortController().signal;
export const order = { token: "lazyssh-0f1e2d3c-0000-4000-8000-00000000000a", alternative: 0, notes: {} };

/** A machine that writes down that it was booted, and runs until it is told to stop. */
export const BOOT = "echo boot $$ >>machine.log; ";
export const STAY = `${BOOT}exec sleep 60`;
/** As a daemon does: started in the background, known by a file. */
export const daemon = {
  foreground: false,
  start: sh(
    `(${BOOT.replace("$$", "$(sh -c 'echo $PPID')")} exec sleep 60) & echo $! >pid; until [ -s machine.log ]; do sleep 0.01; done`,
  ),
  status: sh("kill -0 $(cat pid) 2>/dev/null || exit 3"),
  stop: sh("kill $(cat pid)"),
} satisfies Partial<CommandTarget>;

/** A provider, and others of the same state directory, as after a restart. */
export function machines(patch: Partial<CommandTarget>, graceMs = 200) {
  const folder = folderOfTest();
  const target = commandTarget({ workingDirectory: folder, ...patch });
  const open = (): Provider => createCommandProvider(target, { stateDir: folder }, graceMs);
  const phase = async (id: string): Promise<string> => (await open().describe(id, never)).phase;
  const gone = (id: string) => eventually("its end", async () => (await phase(id)) === "gone");
  const fact = (id: string, name: string): string => join(folder, "commands", id, `${name}.json`);
  /** One in the foreground may be there before its first line of shell was run. */
  const booted = (count = 1) =>
    eventually("its boot", () => {
      const pids = pidsIn(folder);
      return pids.length === count && pids;
    });
  return { folder, open, provider: open(), gone, phase, fact, booted };
}
