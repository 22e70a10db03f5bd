import { connect, type Socket } from "node:net";
import type { MachineTarget } from "../../config/index.ts";
import type { Clock } from "../../util/clock.ts";
import { messageOf } from "../../util/errors.ts";
import { growingInterval } from "../../util/retry.ts";

export interface ProbeRequest {
  readonly host: string;
  readonly port: number;
  readonly ready: MachineTarget["ready"];
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told why the port does not count as ready, each time the reason changes. */
  readonly onWaiting: (reason: string) => void;
}

/** Resolves when the machine answers, with whether it was an SSH greeting; rejects only with the signal's reason. */
export type Prober = (request: ProbeRequest) => Promise<{ readonly greeted: boolean }>;

/** Attempts under way at once: enough that one lost SYN costs an interval, not its retransmission timeout. */
const MAX_CONNECTING = 8;
/** Open connections that have said nothing yet. sshd itself starts dropping at ten (MaxStartups). */
const MAX_SILENT = 3;
const CONNECT_MS = 3_000;
const BANNER_MS = 15_000;
/** A silent connection holds further attempts back this long. */
const SILENT_PATIENCE_MS = 1_000;
const LONGEST_GREETING_BYTES = 16 * 1024;

/**
 * Knocks until the port answers as `ready` says: an identification line of SSH (RFC 4253 §4.2, which may follow other
 * lines), or an accepted connection. Attempts overlap, for a packet lost while the network of a machine comes up would
 * otherwise cost a second; the added wait stays under the interval, which is at most 150 ms.
 */
export const probe: Prober = async ({ host, port, ready, clock, signal, onWaiting }) => {
  signal.throwIfAborted();
  const over = new AbortController();
  const stop = AbortSignal.any([signal, over.signal]);
  const interval = growingInterval(0.02, 25, 150);
  const started = clock.now();
  const attempts = new Set<Attempt>();
  let said = "";
  let answer: { greeted: boolean } | undefined;

  const mayStart = (): boolean => {
    const connected = [...attempts].filter((attempt) => attempt.connectedAt !== undefined);
    if (connected.length >= MAX_SILENT || attempts.size - connected.length >= MAX_CONNECTING) return false;
    return connected.every((attempt) => clock.now() - (attempt.connectedAt ?? 0) > SILENT_PATIENCE_MS);
  };

  try {
    for (;;) {
      if (mayStart()) {
        const attempt: Attempt = { connectedAt: undefined };
        attempts.add(attempt);
        const tell = (reason: string) => {
          if (reason !== said && !stop.aborted) onWaiting(reason);
          said = reason;
        };
        void knock(attempt, { host, port, ready, clock, signal: stop, onWaiting: tell })
          .then(
            (greeted) => {
              answer ??= { greeted };
              over.abort();
            },
            (error: unknown) => tell(messageOf(error)),
          )
          .finally(() => attempts.delete(attempt));
      }
      await clock.sleep(interval(clock.now() - started), stop);
    }
  } catch (error) {
    if (answer) return answer;
    throw signal.aborted ? signal.reason : error;
  } finally {
    over.abort();
  }
};

interface Attempt {
  connectedAt: number | undefined;
}

/** One attempt; resolves with whether there was an SSH greeting, and rejects with the reason in words. */
async function knock(
  attempt: Attempt,
  { host, port, ready, clock, signal, onWaiting }: ProbeRequest,
): Promise<boolean> {
  const socket = connect({ host, port, noDelay: true });
  const ended = new AbortController();
  const until = AbortSignal.any([signal, ended.signal]);
  const expire = (ms: number, then: () => void) => clock.sleep(ms, until).then(then, () => undefined);
  try {
    return await new Promise<boolean>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true, signal: ended.signal });
      socket.once("error", (error) => reject(new Error(whyNot(error, host, port))));
      void expire(CONNECT_MS, () => {
        if (attempt.connectedAt === undefined) reject(new Error(`${host}:${port} does not answer`));
      });
      socket.once("connect", () => {
        attempt.connectedAt = clock.now();
        if (ready === "tcp") return resolve(false);
        onWaiting(`${host}:${port} accepts, and has not sent an SSH greeting yet`);
        const silenceWillDo = ready === "auto" && port !== 22;
        void expire(BANNER_MS, () =>
          silenceWillDo
            ? resolve(false)
            : reject(new Error(`${host}:${port} accepts, but sends no SSH greeting`)),
        );
        listen(socket, { anyGreeting: silenceWillDo }).then(resolve, () =>
          reject(new Error(`${host}:${port} accepts, but closes without an SSH greeting`)),
        );
      });
    });
  } finally {
    ended.abort();
    socket.on("error", () => undefined);
    socket.destroy();
  }
}

/** Resolves at a line `SSH-2.0-…` or `SSH-1.99-…` (true), or at any first byte (false); rejects when the connection ends before. */
function listen(socket: Socket, { anyGreeting }: { anyGreeting: boolean }): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let heard = "";
    socket.on("data", (chunk: Buffer) => {
      heard += chunk.toString("latin1");
      if (/^SSH-(2\.0|1\.99)-[^\n]*\n/m.test(heard)) resolve(true);
      else if (anyGreeting && !"SSH-".startsWith(heard.slice(0, 4))) resolve(false);
      else if (heard.length > LONGEST_GREETING_BYTES) reject(new Error("no greeting"));
    });
    socket.once("close", () => reject(new Error("closed")));
  });
}

function whyNot(error: NodeJS.ErrnoException, host: string, port: number): string {
  switch (error.code) {
    case "ECONNREFUSED":
      return `${host}:${port} refuses connections`;
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return `${host} cannot be reached (${error.code})`;
    case "ENOTFOUND":
      return `the name ${host} does not resolve`;
    default:
      return `${host}:${port}: ${error.message}`;
  }
}
