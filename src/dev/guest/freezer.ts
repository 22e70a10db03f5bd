import { type ChildProcess, spawn } from "node:child_process";

/**
 * Holds a process still (SIGSTOP). A stopped process does not notice that the world is gone, and would stay for ever:
 * a shell waits on a pipe for that, however the world ends, and lets the process go on, which then ends itself.
 */
export class Freezer {
  readonly #pid: number;
  readonly #guard: ChildProcess;

  constructor(pid: number) {
    this.#pid = pid;
    this.#guard = spawn("sh", ["-c", 'read -r word; kill -CONT "$0"', String(pid)], {
      stdio: ["pipe", "ignore", "ignore"],
      // In a group of its own, so that a Ctrl-C meant for the world does not end it first.
      detached: true,
    });
    this.#guard.on("error", () => undefined);
    this.#guard.stdin?.on("error", () => undefined);
    process.kill(pid, "SIGSTOP");
  }

  thaw(): void {
    try {
      process.kill(this.#pid, "SIGCONT");
    } catch {
      // ESRCH: it has been killed meanwhile.
    }
    this.release();
  }

  /** The process is gone: nothing is left to watch over. */
  release(): void {
    this.#guard.kill("SIGKILL");
  }
}
