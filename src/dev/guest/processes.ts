import type { ChildProcess } from "node:child_process";
import type { Clock } from "../../util/clock.ts";

/** Sends a signal to a process group; false when nothing is left of it. */
export function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    // ESRCH: gone. EPERM cannot happen to children of our own.
    return false;
  }
}

const POLL_MS = 10;

/** The process groups of a guest's sessions. A group may outlive its first process (background jobs). */
export class ProcessGroups {
  readonly #pids = new Set<number>();
  readonly #onChange: (pid: number, alive: boolean) => void;

  constructor(onChange: (pid: number, alive: boolean) => void) {
    this.#onChange = onChange;
  }

  /** Watches a child that was spawned `detached`, and so leads a group of its own. */
  add(child: ChildProcess): void {
    const { pid } = child;
    if (pid === undefined) return;
    this.#pids.add(pid);
    this.#onChange(pid, true);
    child.once("exit", () => {
      if (signalGroup(pid, 0)) return;
      this.#pids.delete(pid);
      this.#onChange(pid, false);
    });
  }

  /** What an operating system does to its processes when it goes down: SIGTERM, up to `graceMs`, SIGKILL. */
  async end(graceMs: number, clock: Clock): Promise<void> {
    for (const pid of this.#pids) {
      signalGroup(pid, "SIGTERM");
      // A stopped process only hears SIGTERM once it goes on.
      signalGroup(pid, "SIGCONT");
    }
    const deadline = clock.now() + graceMs;
    while ([...this.#pids].some((pid) => signalGroup(pid, 0)) && clock.now() < deadline) {
      await clock.sleep(POLL_MS);
    }
    for (const pid of this.#pids) signalGroup(pid, "SIGKILL");
  }
}
