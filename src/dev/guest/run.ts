import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Duplex, Readable } from "node:stream";
import type { ServerChannel } from "ssh2";
import { flushed, type ProcessEnd, sendExit } from "./channel.ts";
import { type ProcessGroups, signalGroup } from "./processes.ts";

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Stands between the client and the process; a terminal where there is no real one. */
  readonly discipline?: (interrupt: () => void) => Discipline;
}

/** What is done to bytes on their way to and from a process. */
export interface Discipline {
  /** From the client to the process. What it writes to `echo` goes to the client. */
  readonly input: Duplex;
  readonly echo: Readable;
  /** From the process to the client. */
  readonly output: () => Duplex;
}

export interface Running {
  signal(name: NodeJS.Signals): void;
}

/**
 * Runs a command on a channel: bytes both ways with back-pressure, each direction closed for itself, then the exit
 * status. A client that vanishes before the command has ended takes it along (SIGHUP), as a closed terminal does.
 */
export function runCommand(channel: ServerChannel, command: Command, groups: ProcessGroups): Running {
  // A session of its own: signals reach all of the command, and nothing else.
  const child = spawn(command.file, command.args, {
    cwd: command.cwd,
    env: command.env,
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  groups.add(child);
  const signal = (name: NodeJS.Signals): void => {
    if (child.pid !== undefined) signalGroup(child.pid, name);
  };
  connectStreams(channel, child, command, () => signal("SIGINT"));

  let ended = false;
  channel.once("close", () => {
    if (!ended) signal("SIGHUP");
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
  });
  child.once("exit", () => {
    ended = true;
  });
  return { signal };
}

type PipedChild = ChildProcess & {
  stdin: NonNullable<ChildProcess["stdin"]>;
  stdout: Readable;
  stderr: Readable;
};

function connectStreams(
  channel: ServerChannel,
  child: PipedChild,
  command: Command,
  interrupt: () => void,
): void {
  const exited = endOf(child, channel);
  const discipline = command.discipline?.(interrupt);
  child.stdin.on("error", () => {
    // The process reads no more; what the client still sends is thrown away, so that it is not held up.
    channel.resume();
  });
  if (discipline === undefined) {
    channel.pipe(child.stdin);
    child.stdout.pipe(channel, { end: false });
    child.stderr.pipe(channel.stderr, { end: false });
  } else {
    channel.pipe(discipline.input).pipe(child.stdin);
    discipline.echo.pipe(channel, { end: false });
    // A terminal has one output only.
    child.stdout.pipe(discipline.output()).pipe(channel, { end: false });
    child.stderr.pipe(discipline.output()).pipe(channel, { end: false });
  }

  const outputDone = Promise.all([
    finished(child.stdout).then(() => flushed(channel)),
    finished(child.stderr).then(() => flushed(channel.stderr)),
  ]);
  const finish = async (): Promise<void> => {
    await outputDone;
    // A client that has ended its input closes the channel when it hears of the end of the output, and ssh2 then closes it as
    // well: the exit status would be lost, for which OpenSSH's server would have waited.
    if (channel.readableEnded) await exited;
    // Output may end long before the command does; a client that still sends is told at once.
    channel.eof();
    sendExit(channel, await exited);
    channel.end();
  };
  // After a close there is nobody left to tell.
  finish().catch(() => channel.close());
}

async function finished(stream: Readable): Promise<void> {
  if (!stream.readableEnded && !stream.destroyed) await once(stream, "close");
}

async function endOf(child: ChildProcess, channel: ServerChannel): Promise<ProcessEnd> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
    child.once("error", (error) => {
      channel.stderr.write(`${error.message}\n`);
      resolve({ code: 127, signal: null });
    });
  });
}
