import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A process that no other can be taken for: numbers are used again, together with the time of the start they are not. */
export interface ProcessId {
  readonly pid: number;
  /** Linux: the boot's id and the start in clock ticks since then (proc(5), `stat` field 22); elsewhere as `ps` says. */
  readonly started: string;
}

/** The process that has a number now; undefined when none has, or it is one that has ended and only waits to be reaped. */
export async function processOf(pid: number): Promise<ProcessId | undefined> {
  if (process.platform !== "linux") {
    const { stdout } = await run("ps", ["-o", "lstart=", "-p", String(pid)]).catch(() => ({ stdout: "" }));
    return stdout.trim() === "" ? undefined : { pid, started: stdout.trim() };
  }
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  // The name, in parentheses, may hold anything.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, started] = [fields?.[0], fields?.[19]];
  if (started === undefined || state === "Z" || state === "X") return undefined;
  const boot = (await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "")).trim();
  return { pid, started: `${boot}:${started}` };
}

export async function isAlive({ pid, started }: ProcessId): Promise<boolean> {
  return (await processOf(pid))?.started === started;
}

/**
 * Processes whose environment had all of these variables when they began, the oldest number first. Linux only: elsewhere none is seen, nor are
 * those of other users.
 */
export async function processesWith(variables: readonly string[]): Promise<readonly ProcessId[]> {
  const entries = await readdir("/proc").catch(() => []);
  const found: ProcessId[] = [];
  for (const entry of entries.filter((each) => /^\d+$/.test(each))) {
    const environment = await readFile(`/proc/${entry}/environ`, "latin1").catch(() => "");
    const own = environment.split("\0");
    if (!variables.every((variable) => own.includes(variable))) continue;
    const one = await processOf(Number(entry));
    if (one) found.push(one);
  }
  return found.sort((a, b) => a.pid - b.pid);
}

/**
 * Sends a signal to a process, or to the group that it leads, if it is still the one that is meant. Resolves with whether it was.
 *
 * @throws Error of the system, such as EPERM.
 */
export async function signalTo(one: ProcessId, signal: NodeJS.Signals, whole: boolean): Promise<boolean> {
  if (!(await isAlive(one))) return false;
  try {
    process.kill(whole ? -one.pid : one.pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}
