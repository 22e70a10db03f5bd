import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { devCredentialsEnv } from "../../src/dev/index.ts";
import { systemClock } from "../../src/util/clock.ts";
import { eventually } from "./world.ts";

/** The built program: `npm test` builds it first. */
const LAZYSSH = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

/** Many programs that start at once on a busy machine take their time; what is promised of time is asserted by the test that is about it. */
const LOGGED_MS = 60_000;
const PIPES_MS = 5_000;
/** For `expect.poll` of log lines, which may come some time after what they tell of has been seen. */
export const LOGGED = { timeout: LOGGED_MS };

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One log line, parsed. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string };

export interface Program extends AsyncDisposable {
  readonly process: ChildProcess;
  /** Log lines so far. */
  readonly log: LogLine[];
  /** What it has printed so far. */
  stderr(): string;
  stdout(): string;
  readonly ended: Promise<Ended>;
  /** The first log line with this `msg`, now or to come; waits for it as long as `eventually` does. */
  logged(msg: string, matches?: (line: LogLine) => boolean, timeoutMs?: number): Promise<LogLine>;
  /** SIGTERM, and the end. */
  stop(): Promise<Ended>;
  kill(signal: NodeJS.Signals): void;
}

export interface ProgramOptions {
  /** Path of another program than the built `lazyssh`, that logs as that does. */
  readonly program?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** A program, with arguments, that starts it. */
  readonly by?: readonly [string, ...string[]];
  /** File descriptors that it has as 3 and following. */
  readonly fds?: readonly number[];
  /** Default: nothing to be read. */
  readonly stdin?: "pipe";
  /** Log lines that are kept, of a program that logs without end. Default: all of them. */
  readonly keep?: number;
  /** Gets every line of standard error; `line` where it is one of the log. */
  readonly onLine?: (text: string, line: LogLine | undefined) => void;
}

/** Starts the built `lazyssh` in a process of its own; ended with SIGKILL when disposed before its end. */
export function startProgram(args: readonly string[], options: ProgramOptions = {}): Program {
  const command = [...(options.by ?? []), process.execPath, options.program ?? LAZYSSH, ...args];
  const child = spawn(command[0] ?? "", command.slice(1), {
    env: { ...process.env, ...devCredentialsEnv, ...options.env },
    stdio: [options.stdin ?? "ignore", "pipe", "pipe", ...(options.fds ?? [])],
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  }) as ChildProcess & { readonly stdout: Readable; readonly stderr: Readable };
  const { keep = Number.POSITIVE_INFINITY, onLine } = options;
  let stdout = "";
  const stderr: string[] = [];
  const log: LogLine[] = [];
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  createInterface({ input: child.stderr }).on("line", (line) => {
    stderr.push(`${line}\n`);
    if (stderr.length > keep) stderr.shift();
    const parsed = line.startsWith("{") ? (JSON.parse(line) as LogLine) : undefined;
    if (parsed) log.push(parsed);
    if (log.length > keep) log.shift();
    onLine?.(line, parsed);
  });
  let over: Ended | undefined;
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      over = { code, signal, stdout, stderr: stderr.join("") };
      resolve(over);
    });
  });
  const kill = (signal: NodeJS.Signals) => void child.kill(signal);
  return {
    process: child,
    log,
    stderr: () => stderr.join(""),
    stdout: () => stdout,
    ended,
    kill,
    async logged(msg, matches = () => true, timeoutMs = LOGGED_MS) {
      const look = () => {
        const found = log.find((line) => line.msg === msg && matches(line));
        if (found || !over) return found;
        throw new Error(`lazyssh ended with ${over.code ?? over.signal}:\n${over.stderr}${stdout}`);
      };
      return eventually(`a log line ${msg}`, look, timeoutMs);
    },
    async stop() {
      kill("SIGTERM");
      return ended;
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) kill("SIGKILL");
      // A worker of its that was stopped has its output, and keeps it open.
      const patience = new AbortController();
      const late = systemClock.sleep(PIPES_MS, patience.signal).catch(() => undefined);
      await Promise.race([ended, late]);
      patience.abort();
      child.stdout.destroy();
      child.stderr.destroy();
    },
  };
}

/** Runs the built `lazyssh` to its end. */
export async function runProgram(args: readonly string[], options: ProgramOptions = {}): Promise<Ended> {
  await using program = startProgram(args, options);
  return await program.ended;
}
