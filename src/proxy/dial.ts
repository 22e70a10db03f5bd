import type { Clock } from "../util/clock.ts";
import { deadline, unlessAborted } from "../util/deadline.ts";
import { formatDuration } from "../util/duration.ts";
import { LazysshError, messageOf } from "../util/errors.ts";
import { TargetSocket } from "./target-socket.ts";

export interface DialOptions {
  /** The target's name, for messages. */
  readonly target: string;
  readonly host: string;
  readonly port: number;
  /** What is read goes here; see {@link TargetSocket}. */
  readonly readBuffer: Uint8Array;
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Any of them: gives up; the promise rejects with its reason. */
  readonly signals: readonly AbortSignal[];
}

/** How often the system asks a silent target whether it is still there. */
const KEEPALIVE_MS = 30_000;

/**
 * Connects to a port of a machine. The socket comes paused.
 *
 * @throws LazysshError `CONNECT_FAILED` in words for the user, or the signal's reason.
 */
export async function dial(options: DialOptions): Promise<TargetSocket> {
  const { target, host, port, readBuffer, clock, timeoutMs, signals } = options;
  for (const signal of signals) signal.throwIfAborted();
  using limit = deadline(clock, timeoutMs, () => tooLate(options), ...signals);
  const socket = new TargetSocket(readBuffer);
  let failed: ((error: Error) => void) | undefined;
  try {
    const connected = new Promise<void>((resolve, reject) => {
      failed = (error) => reject(connectFailed(target, port, error));
      socket.once("error", failed);
      socket.once("connect", resolve);
      socket.connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_MS });
    });
    await unlessAborted(limit.signal, connected);
    // It would keep what was only of use until now for as long as the socket is there.
    if (failed) socket.off("error", failed);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return socket;
}

function tooLate({ target, port, timeoutMs }: DialOptions): LazysshError {
  return new LazysshError(
    "CONNECT_FAILED",
    `${target}: no answer on port ${port} of the machine within ${formatDuration(timeoutMs)}: ` +
      "is a firewall or security group in between?",
    { retryable: true },
  );
}

function connectFailed(target: string, port: number, error: NodeJS.ErrnoException): LazysshError {
  const { code } = error;
  const ours = code === "EMFILE" || code === "ENFILE" || code === "ENOBUFS" || code === "ENOMEM";
  return new LazysshError(
    ours ? "RESOURCE_SHORTAGE" : "CONNECT_FAILED",
    `${target}: ${inWords(port, error)}`,
    { cause: error, retryable: true },
  );
}

function inWords(port: number, error: NodeJS.ErrnoException): string {
  const code = error.code ?? "";
  switch (code) {
    case "ECONNREFUSED":
      return `nothing listens on port ${port} of the machine (${code})`;
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return `there is no way to the machine's address (${code}): does this host have a route to it?`;
    case "ETIMEDOUT":
      return `no answer on port ${port} of the machine (${code}): is a firewall or security group in between?`;
    case "ECONNRESET":
      return `the machine dropped the connection to port ${port} at once (${code})`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `the machine's host name cannot be resolved (${code})`;
    case "EMFILE":
    case "ENFILE":
      return `the jump host has no file descriptors left (${code}): raise its limit of open files (LimitNOFILE, ulimit -n)`;
    case "ENOBUFS":
    case "ENOMEM":
      return `the jump host has no memory left for a connection (${code})`;
    default:
      return `cannot connect to port ${port} of the machine (${messageOf(error)})`;
  }
}
