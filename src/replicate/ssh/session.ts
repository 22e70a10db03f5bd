import { lstat, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SshSettings } from "../../config/replicate.ts";
import type { Clock } from "../../util/clock.ts";
import { deadline, unlessAborted } from "../../util/deadline.ts";
import type { Side } from "../side.ts";
import { isSince87, type SshExtra, sshArgv } from "./argv.ts";
import { type Connection, connect } from "./connection.ts";
import { lostError, SshError, sshError } from "./failure.ts";
import { plainEnv, runToEnd } from "./run.ts";
import { SHELL } from "./shell.ts";

export interface SessionOptions {
  readonly ssh: SshSettings;
  /** As it is given to `ssh`. */
  readonly target: string;
  readonly clock: Clock;
  /** Until the session is there; it lives on when this aborts later. */
  readonly signal: AbortSignal;
  /** For the machine to answer. */
  readonly bootTimeoutMs: number;
  /** Default: that of this process. */
  readonly env?: NodeJS.ProcessEnv;
}

/** A machine that is up and stays up: one connection has made the jump host start it, and is the lease until it is closed. */
export interface Session {
  readonly side: Side;
  /** From the first knock until a command ran. */
  readonly bootSeconds: number;
  /** Aborts when the connection ends before it is closed; the reason is an {@link SshError}. */
  readonly lost: AbortSignal;
  /**
   * Resolves, never rejects, when it is known whether streams share the connection; before that, `side.command` throws, and commands run all
   * the same.
   */
  readonly settled: Promise<void>;
  /** Whether streams share the connection. If not, each makes one of its own. Undefined before it is known. */
  readonly shared: boolean | undefined;
  /** Lets the machine go. Nothing is left behind; never rejects, may be called twice. */
  close(): Promise<void>;
}

/** Beside the boot, which the jump host may give up a little later than we do. */
const CONNECT_SLACK_S = 30;

/**
 * Connects, which makes the machine boot, and waits until a command has run there.
 *
 * @throws SshError when `ssh` gives up, or the time is up; the signal's reason when it aborts.
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  const { ssh, target, clock, signal, bootTimeoutMs } = options;
  signal.throwIfAborted();
  const env = plainEnv(options.env);
  const started = clock.now();
  const folder = await mkdtemp(join(shortTemp(), "lazyssh-"));
  const socket = join(folder, "s");
  const forget = () => rm(folder, { recursive: true, force: true }).catch(() => undefined);
  let connection: Connection | undefined;
  using limit = deadline(
    clock,
    bootTimeoutMs,
    () =>
      new SshError(
        "timeout",
        `${target} did not answer within ${bootTimeoutMs / 1000} s (boot_timeout)${said(connection)}`,
        true,
      ),
    signal,
  );
  try {
    const extra = await ofVersion(ssh.program, { clock, env, signal: limit.signal }, bootTimeoutMs);
    const master = sshArgv(ssh, target, {
      ...extra,
      command: SHELL,
      fixed: ["ControlMaster=yes", `ControlPath=${socket}`, "LogLevel=INFO"],
    });
    connection = connect(master, env, clock);
    const first = await unlessAborted(limit.signal, connection.first);
    if (first !== "up") throw sshError(target, connection.stderr(), first.status);
    const common = { ssh, target, clock, env, extra };
    const over = remoteSide({ ...common, socket });
    const own = remoteSide({ ...common, socket: undefined });
    return sessionOf(connection, {
      ...{ target, over, own },
      isShared: (await exists(socket)) && answers(over, connection, options),
      bootSeconds: (clock.now() - started) / 1000,
      forget,
    });
  } catch (error) {
    await connection?.kill();
    await forget();
    throw error;
  }
}

interface Found {
  readonly target: string;
  /** Through the connection that is there, and through one for each command. */
  readonly over: Side;
  readonly own: Side;
  readonly isShared: boolean | Promise<boolean>;
  readonly bootSeconds: number;
  readonly forget: () => Promise<void>;
}

function sessionOf(
  connection: Connection,
  { target, over, own, isShared, bootSeconds, forget }: Found,
): Session {
  const lost = new AbortController();
  let shared: boolean | undefined;
  let closing: Promise<void> | undefined;
  const settled = Promise.resolve(isShared).then((answer) => {
    shared = answer;
  });
  void connection.ended.then(() => {
    if (!closing) lost.abort(lostError(target, connection.stderr()));
  });
  const side = (): Side => (shared ? over : own);
  return {
    bootSeconds,
    settled,
    lost: lost.signal,
    get shared() {
      return shared;
    },
    side: {
      name: target,
      remote: true,
      command(argv) {
        if (shared === undefined)
          throw new Error(`it is not known yet whether ${target} has another session`);
        return side().command(argv);
      },
      async run(argv, options) {
        const isForShell = options.input === undefined && !options.apart;
        const ran = isForShell ? await connection.run(argv, options.signal) : undefined;
        if (ran) return ran;
        await unlessAborted(options.signal, settled);
        return await side().run(argv, options);
      },
    },
    close: () => {
      closing ??= connection
        .close()
        .then(() => settled)
        .then(forget);
      return closing;
    },
  };
}

interface RemoteOptions {
  readonly ssh: SshSettings;
  readonly target: string;
  readonly clock: Clock;
  readonly env: NodeJS.ProcessEnv;
  readonly extra: Pick<SshExtra, "since87" | "defaults">;
  /** Of the connection that is used. It is never made anew: that would start another machine. Undefined: one for each command. */
  readonly socket: string | undefined;
}

export function remoteSide({ ssh, target, clock, env, extra, socket }: RemoteOptions): Side {
  const settings: SshSettings = socket === undefined ? ssh : { ...ssh, jump: undefined };
  const fixed =
    socket === undefined
      ? ["ControlMaster=no", "ControlPath=none", "LogLevel=ERROR"]
      : ["ControlMaster=no", `ControlPath=${socket}`, "ProxyCommand=false", "LogLevel=ERROR"];
  const command = (argv: readonly string[]) => sshArgv(settings, target, { ...extra, command: argv, fixed });
  return {
    name: target,
    remote: true,
    command,
    run: (argv, options) => runToEnd(command(argv), options, { clock, env }),
  };
}

/** Asks the `ssh` for its version, which also shows that it is there. */
async function ofVersion(
  program: string,
  { clock, env, signal }: { clock: Clock; env: NodeJS.ProcessEnv; signal: AbortSignal },
  bootTimeoutMs: number,
): Promise<Pick<SshExtra, "since87" | "defaults">> {
  const { stderr } = await runToEnd([program, "-V"], { signal }, { clock, env });
  return {
    since87: isSince87(stderr),
    defaults: [`ConnectTimeout=${Math.ceil(bootTimeoutMs / 1000) + CONNECT_SLACK_S}`],
  };
}

/** From a command that failed for it until a connection that is lost has ended. */
const LOST_MS = 500;

/**
 * A server may allow one session for each connection only. One that is lost meanwhile stays lost: where each stream makes a connection of its
 * own, another machine might be started for it.
 */
async function answers(
  side: Side,
  { ended }: Connection,
  { clock, signal }: Pick<SessionOptions, "clock" | "signal">,
): Promise<boolean> {
  const over = new AbortController();
  void ended.then(() => over.abort());
  try {
    const { status } = await side.run(["true"], { signal: AbortSignal.any([signal, over.signal]) });
    if (status === 0) return true;
    await clock.sleep(LOST_MS, over.signal);
    return false;
  } catch {
    return true;
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** `ssh` adds 17 characters to the path of a socket that may have about a hundred. */
function shortTemp(): string {
  const dir = tmpdir();
  return Buffer.byteLength(dir) <= 60 ? dir : "/tmp";
}

function said(connection: Connection | undefined): string {
  const last = connection?.stderr().trim().split("\n").at(-1) ?? "";
  return last === "" ? "" : `; ssh says: ${last}`;
}
