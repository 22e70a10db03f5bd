import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import type { Clock } from "../../util/clock.ts";
import { LazysshError, messageOf } from "../../util/errors.ts";
import type { Ran, RunOptions } from "../side.ts";
import { head, tail } from "./kept.ts";

/** From SIGTERM to SIGKILL. */
const GRACE_MS = 2_000;

/**
 * What is run is the leader of a group, which is ended as a whole, and of a session without a terminal, so that neither `ssh` nor the
 * `ssh` that it starts for a jump can ask for anything.
 */
export const APART = { detached: true } as const satisfies SpawnOptions;

/** What `zfs` says is read: in English. */
export function plainEnv(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return { ...env, LC_ALL: "C", SSH_ASKPASS_REQUIRE: "never" };
}

export interface RunSurroundings {
  readonly clock: Clock;
  readonly env: NodeJS.ProcessEnv;
}

/** Runs a command of this system to its end; see {@link RunOptions} and `Side.run`. After an abort it rejects when the group is gone. */
export async function runToEnd(
  argv: readonly string[],
  { signal, input }: RunOptions,
  { clock, env }: RunSurroundings,
): Promise<Ran> {
  signal.throwIfAborted();
  const [program = "", ...args] = argv;
  const child = spawn(program, args, { ...APART, env, stdio: ["pipe", "pipe", "pipe"] });
  const ending = new AbortController();
  const end = () => void endGroup(child, clock);
  const stdout = head(end);
  const stderr = tail();
  signal.addEventListener("abort", end, { once: true, signal: ending.signal });
  child.stdout.on("data", stdout.add);
  child.stderr.on("data", stderr.add);
  // A command that ends before it has read its input is judged by its status.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  try {
    const [status, endedBy] = await closed(child, program, clock);
    signal.throwIfAborted();
    stdout.assertWhole(program);
    return {
      status: status ?? undefined,
      signal: endedBy ?? undefined,
      stdout: stdout.text(),
      stderr: stderr.text(),
    };
  } finally {
    ending.abort();
  }
}

/** Resolves with status and signal when it has ended and was read to the end; what it left in the background does not keep its pipes open. */
export function closed(
  child: ChildProcess,
  program: string,
  clock: Clock,
): Promise<[status: number | null, signal: NodeJS.Signals | null]> {
  return new Promise((resolve, reject) => {
    child.once("error", (cause) => reject(notStarted(program, cause)));
    child.once("close", (status, signal) => resolve([status, signal]));
    child.once("exit", () => {
      void clock.sleep(GRACE_MS).then(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
      });
    });
  });
}

function notStarted(program: string, cause: Error & { readonly code?: string }): LazysshError {
  const absent = program.includes("/") ? "there is no such file" : "there is no such program on the PATH";
  const why = cause.code === "ENOENT" ? absent : messageOf(cause);
  return new LazysshError("NOT_SUPPORTED", `cannot start ${program}: ${why}`, { cause });
}

/**
 * SIGTERM, and SIGKILL to what is still there when the leader has ended, or after two seconds. Resolves when the leader has ended. One that
 * ended before is left alone with its group: its number may be another's by now.
 */
export async function endGroup(child: ChildProcess, clock: Clock): Promise<void> {
  const { pid } = child;
  if (pid === undefined || isOver(child)) return;
  const over = new AbortController();
  const ended = new Promise<void>((resolve) =>
    child.once("exit", () => {
      // At once, as long as the number is surely still its own.
      signalGroup(pid, "SIGKILL");
      over.abort();
      resolve();
    }),
  );
  signalGroup(pid, "SIGTERM");
  await clock.sleep(GRACE_MS, over.signal).catch(() => undefined);
  if (!isOver(child)) signalGroup(pid, "SIGKILL");
  await ended;
}

export function isOver(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch {
    // Nobody is left in it.
  }
}
