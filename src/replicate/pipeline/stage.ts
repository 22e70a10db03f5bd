import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { constants } from "node:os";
import type { Clock } from "../../util/clock.ts";
import { messageOf } from "../../util/errors.ts";

/** A program of a pipeline. */
export interface Stage {
  /** For people: "zfs send", "zstd", "ssh zfs recv". */
  readonly name: string;
  readonly argv: readonly string[];
}

/** How a stage ended. */
export interface StageResult {
  readonly name: string;
  /** Exit status; undefined when a signal ended it, or it was never there. */
  readonly status: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  /** Its last 64 KiB. */
  readonly stderr: string;
}

export type Exit =
  | { readonly kind: "status"; readonly status: number }
  | { readonly kind: "signal"; readonly signal: NodeJS.Signals }
  /** It could not be started, and why. */
  | { readonly kind: "absent"; readonly reason: string };

/** How long a stage that is to end has for each: by itself, after SIGTERM, after SIGKILL. */
export const GRACE_MS = 2_000;

const STDERR_BYTES = 64 * 1024;
/** What is left in a pipe is read in no time; but a process that was left behind may keep it open. */
const STDERR_MS = 250;
/** For the rest of a group to be gone after SIGKILL. Where nobody reaps orphans, they stay in it for ever. */
const GROUP_MS = 50;
const GROUP_STEP_MS = 5;

/** A running stage: a process, and the group that it leads. */
export class StageProcess {
  readonly name: string;
  /** Resolves when it has ended; never rejects. */
  readonly exited: Promise<Exit>;
  exit: Exit | undefined;
  readonly #child: ChildProcess | undefined;
  /** The number of the process, too. Undefined when there is none, or nothing is to be ended any more. */
  #group: number | undefined;
  readonly #clock: Clock;
  readonly #stderrEnded: Promise<void>;
  #stderr: Buffer[] = [];
  #stderrBytes = 0;

  /** `stdin` and `stdout` are descriptors, which are closed here; undefined: nothing to read, nobody who reads. */
  constructor(
    { name, argv }: Stage,
    descriptors: { readonly stdin: number | undefined; readonly stdout: number | undefined },
    clock: Clock,
    env: NodeJS.ProcessEnv,
  ) {
    const [program = "", ...args] = argv;
    const { stdin = "ignore", stdout = "ignore" } = descriptors;
    this.name = name;
    this.#clock = clock;
    let refused: unknown;
    try {
      // A group of its own, so that it is ended with all that it has started.
      this.#child = spawn(program, args, { stdio: [stdin, stdout, "pipe"], env, detached: true });
    } catch (error) {
      refused = error;
    } finally {
      for (const descriptor of [stdin, stdout]) if (typeof descriptor === "number") closeSync(descriptor);
    }
    this.#group = this.#child?.pid;
    this.exited = new Promise((resolve) => {
      const end = (exit: Exit) => {
        this.exit ??= exit;
        resolve(this.exit);
      };
      const absent = (error: unknown) => end({ kind: "absent", reason: whyAbsent(program, error) });
      if (!this.#child) return absent(refused);
      this.#child.once("error", absent);
      this.#child.once("exit", (status, signal) =>
        end(signal ? { kind: "signal", signal } : { kind: "status", status: status ?? 0 }),
      );
    });
    this.#stderrEnded = new Promise((resolve) => {
      if (!this.#child?.stderr) return resolve();
      this.#child.stderr.once("close", resolve).on("data", (chunk: Buffer) => this.#keep(chunk));
      this.#child.stderr.on("error", () => undefined);
    });
  }

  get succeeded(): boolean {
    return this.exit?.kind === "status" && this.exit.status === 0;
  }

  /**
   * It has exited, and its output is over: ends what it has left behind, if anything, and lets go of the group, whose number
   * may from now on be another's.
   */
  sweep(): void {
    this.#signal("SIGKILL");
    this.#group = undefined;
  }

  /** Ends it, gently first. False when it outlived even SIGKILL, as a process does that the kernel holds. */
  async end(graceMs: number): Promise<boolean> {
    if (!(await this.#exitsWithin(graceMs))) {
      this.#signal("SIGTERM");
      await this.#exitsWithin(GRACE_MS);
    }
    // Also when it has exited: for what it may have left behind.
    this.#signal("SIGKILL");
    const ended = await this.#exitsWithin(GRACE_MS);
    for (let waited = 0; waited < GROUP_MS && this.#signal(0); waited += GROUP_STEP_MS) {
      await this.#clock.sleep(GROUP_STEP_MS);
    }
    return ended;
  }

  /** Once it has exited: what it said. */
  async result(): Promise<StageResult> {
    await within(this.#clock, STDERR_MS, this.#stderrEnded);
    this.#child?.stderr?.destroy();
    const { exit } = this;
    const stderr = Buffer.concat(this.#stderr).subarray(-STDERR_BYTES).toString();
    return {
      name: this.name,
      status: exit?.kind === "status" ? exit.status : undefined,
      signal: exit?.kind === "signal" ? exit.signal : undefined,
      stderr,
    };
  }

  /** To the process with all of its group. False when there is none of them any more. 0 only looks. */
  #signal(signal: NodeJS.Signals | 0): boolean {
    if (this.#group === undefined) return false;
    try {
      return process.kill(-this.#group, signal);
    } catch {
      return false;
    }
  }

  #exitsWithin(ms: number): Promise<boolean> {
    return this.exit ? Promise.resolve(true) : within(this.#clock, ms, this.exited);
  }

  #keep(chunk: Buffer): void {
    this.#stderr.push(chunk);
    this.#stderrBytes += chunk.length;
    if (this.#stderrBytes < 2 * STDERR_BYTES) return;
    // Copied, so that the large buffer that it is a part of is let go.
    this.#stderr = [Buffer.from(Buffer.concat(this.#stderr).subarray(-STDERR_BYTES))];
    this.#stderrBytes = STDERR_BYTES;
  }
}

/** Nobody read what it wrote: it ends so because of another. A shell says 128 and the signal's number. */
export function isBrokenPipe(exit: Exit): boolean {
  if (exit.kind === "signal") return exit.signal === "SIGPIPE";
  return exit.kind === "status" && exit.status === 128 + constants.signals.SIGPIPE;
}

/** Whether the promise settles in time. */
export async function within(clock: Clock, ms: number, promise: Promise<unknown>): Promise<boolean> {
  const stop = new AbortController();
  const late = clock.sleep(ms, stop.signal).then(
    () => false,
    () => false,
  );
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    stop.abort("settled");
  }
}

function whyAbsent(program: string, error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT") return `there is no program ${program} on the PATH`;
  return code === "EACCES" ? `${program} may not be executed` : messageOf(error);
}
