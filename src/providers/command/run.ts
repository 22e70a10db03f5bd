import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { open, stat, truncate } from "node:fs/promises";
import { systemClock } from "../../util/clock.ts";
import { deadline, unlessAborted } from "../../util/deadline.ts";
import { formatDuration } from "../../util/duration.ts";
import { LazysshError } from "../../util/errors.ts";
import type { Order } from "./order.ts";

/** What commands are there for; they see it as LAZYSSH_COMMAND. */
export type Verb = "start" | "stop" | "status" | "address";

/** Of lazyssh's own environment, which may hold secrets, commands get these. */
const PASSED_ON = /^(?:PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TMPDIR|XDG_RUNTIME_DIR|XDG_CONFIG_HOME)$/;
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Of what a command prints, this much is kept, and so much of a line is told. */
const MOST_OUTPUT = 16 * 1024;
const LONGEST_LINE = 300;
/** Between SIGTERM and SIGKILL for a command, other than a machine, whose time is up. */
const KILL_MS = 2_000;
/** What has inherited the output of a command that has ended may keep it open. */
const DRAIN_MS = 500;
/** Of what a machine in the foreground prints. */
const LARGEST_LOG = 1024 * 1024;

/** The environment of a machine's commands. */
export function environmentOf(
  { commands, target, token, id, stateDir }: Omit<Order, "at" | "ranBefore">,
  verb: Verb,
): Record<string, string> {
  const passedOn = Object.entries(process.env).filter(([name]) => PASSED_ON.test(name));
  return {
    PATH: DEFAULT_PATH,
    ...(Object.fromEntries(passedOn) as Record<string, string>),
    ...commands.environment,
    LAZYSSH_TARGET: target,
    LAZYSSH_TOKEN: token,
    LAZYSSH_MACHINE: id,
    LAZYSSH_STATE_DIR: stateDir,
    LAZYSSH_COMMAND: verb,
  };
}

export interface Result {
  /** Undefined: a signal ended it. */
  readonly code: number | undefined;
  readonly output: string;
  /** How it ended, in words, with the last line that it printed. */
  readonly how: string;
}

/**
 * Runs a command to its end, without input, in a process group of its own. When its time is up, or the signal aborts, the whole group is
 * ended.
 *
 * @throws LazysshError `BAD_REQUEST` when it cannot be run, `NOT_READY` (retryable) when its time is up.
 */
export async function run(
  order: Order,
  verb: Verb,
  argv: readonly string[],
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Result> {
  signal.throwIfAborted();
  const child = spawnIn(order, verb, argv, "pipe");
  const parts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.on("data", (chunk: Buffer) => {
      parts[name] = (parts[name] + chunk.toString()).slice(-MOST_OUTPUT);
    });
  }
  const late = () =>
    new LazysshError(
      "NOT_READY",
      `${verb} of ${order.target} has not ended within ${formatDuration(timeoutMs)}`,
      {
        retryable: true,
      },
    );
  using limit = deadline(systemClock, timeoutMs, late, signal);
  await unlessAborted(limit.signal, spawned(child, order, verb, argv));
  const closed = once(child, "close");
  closed.catch(() => undefined);
  try {
    await unlessAborted(limit.signal, exited(child));
  } catch (error) {
    await endGroup(child);
    throw error;
  }
  await Promise.race([closed, systemClock.sleep(DRAIN_MS)]);
  child.stdout?.destroy();
  child.stderr?.destroy();
  return resultOf(child, order, parts.stdout, parts.stderr || parts.stdout);
}

/** Starts `start`. What it prints goes to a file, so that it goes on when this process dies. */
export async function launch(order: Order, log: string): Promise<ChildProcess> {
  const output = await open(log, "a", 0o600);
  try {
    const child = spawnIn(order, "start", order.commands.start, output.fd);
    await spawned(child, order, "start", order.commands.start);
    return child;
  } finally {
    await output.close();
  }
}

/** Resolves when it has ended, at once when it has already. */
export async function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

/** How `start` has ended. */
export async function startResult(child: ChildProcess, order: Order, log: string): Promise<Result> {
  return resultOf(child, order, "", await tailOf(log));
}

/** Ends a command, and what it has started in its group, in order if it can. */
export async function endGroup(child: ChildProcess): Promise<void> {
  const { pid } = child;
  if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = exited(child);
  kill(-pid, "SIGTERM");
  await Promise.race([ended, systemClock.sleep(KILL_MS)]);
  // Not reaped yet, so that the number is still its own.
  if (child.exitCode === null && child.signalCode === null) kill(-pid, "SIGKILL");
  await ended;
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

/** The end of what `start` has printed. */
export async function tailOf(log: string): Promise<string> {
  const file = await open(log, "r").catch(() => undefined);
  if (!file) return "";
  try {
    const { size } = await file.stat();
    const length = Math.min(size, MOST_OUTPUT);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.subarray(0, bytesRead).toString();
  } finally {
    await file.close();
  }
}

/** Empties what has grown large. It is written at its end, wherever that is (`O_APPEND`). */
export async function keepSmall(log: string): Promise<void> {
  const size = await stat(log).then(
    (stats) => stats.size,
    () => 0,
  );
  if (size > LARGEST_LOG) await truncate(log, 0);
}

function spawnIn(order: Order, verb: Verb, argv: readonly string[], output: "pipe" | number): ChildProcess {
  const [program = "", ...args] = argv;
  const child = spawn(program, args, {
    cwd: order.commands.workingDirectory ?? "/",
    env: environmentOf(order, verb),
    stdio: ["ignore", output, output],
    // Neither Ctrl-C at the terminal nor the death of this process is meant for it.
    detached: true,
  });
  child.on("error", () => undefined); // whoever waits for it is told
  return child;
}

async function spawned(
  child: ChildProcess,
  order: Order,
  verb: Verb,
  argv: readonly string[],
): Promise<void> {
  try {
    if (child.pid === undefined) await once(child, "spawn");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "";
    const { workingDirectory = "/" } = order.commands;
    // What is said of a folder that is not there is the same.
    const why = code === "ENOENT" ? `there is no such program, or no folder ${workingDirectory}` : code;
    const retryable = ["EAGAIN", "ENOMEM", "EMFILE", "ENFILE", "ETXTBSY"].includes(code);
    const what = `${verb} of ${order.target}: cannot run ${argv[0]}: ${why}`;
    throw new LazysshError("BAD_REQUEST", what, { cause, retryable });
  }
}

function resultOf(child: ChildProcess, order: Order, output: string, said: string): Result {
  const code = child.exitCode ?? undefined;
  const how = code === undefined ? `ended by ${child.signalCode ?? "a signal"}` : `exit code ${code}`;
  const last = lastLine(said, order);
  return { code, output, how: last === "" ? how : `${how}: ${last}` };
}

/** The last line that is not empty, without what the config has as values of variables. */
export function lastLine(text: string, { commands }: Order): string {
  const line = text.trimEnd().split("\n").at(-1) ?? "";
  const shown = Object.values(commands.environment)
    .filter((value) => value.length >= 4)
    .reduce((rest, value) => rest.replaceAll(value, "…"), line);
  return shown
    .replace(/\p{Cc}+/gu, " ")
    .trim()
    .slice(-LONGEST_LINE);
}
