import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import type { ServerStatus } from "../report/status.ts";
import type { Dropped } from "../targets/by-hand.ts";
import { LazysshError, messageOf } from "../util/errors.ts";
import { addressable } from "../util/socket-path.ts";
import { type Answer, CONTROL_SOCKET, type Request } from "./protocol.ts";

export interface AskOptions {
  /** Leaves; a start that is waited for is taken back. */
  readonly signal: AbortSignal;
  readonly onWaiting?: (what: string) => void;
}

interface Answers {
  readonly status: ServerStatus;
  readonly start: { readonly target: string };
  readonly stop: Dropped;
}

/**
 * Asks the server that uses a state directory.
 *
 * @throws LazysshError `CONNECT_FAILED` when none answers there, `SHUTTING_DOWN` when it ends meanwhile, or what the server
 * answers.
 */
export async function askServer<R extends Request>(
  stateDir: string,
  request: R,
  { signal, onWaiting }: AskOptions,
): Promise<Answers[R["do"]]> {
  using socket = await reach(stateDir, signal);
  const leave = () => socket.destroy();
  signal.addEventListener("abort", leave, { once: true });
  try {
    socket.write(`${JSON.stringify(request)}\n`);
    for await (const line of linesOf(socket)) {
      const answer = JSON.parse(line) as Answer;
      if ("waiting" in answer) onWaiting?.(answer.waiting);
      else if ("ok" in answer) return answer.ok as Answers[R["do"]];
      else throw new LazysshError(answer.error.code, answer.error.message);
    }
  } catch (error) {
    if (error instanceof LazysshError) throw error;
    signal.throwIfAborted();
    throw ended(stateDir, error);
  } finally {
    signal.removeEventListener("abort", leave);
  }
  signal.throwIfAborted();
  throw ended(stateDir, undefined);
}

async function reach(stateDir: string, signal: AbortSignal): Promise<Socket & Disposable> {
  signal.throwIfAborted();
  try {
    const socket = connect(addressable(join(stateDir, CONTROL_SOCKET)));
    await once(socket, "connect", { signal });
    return Object.assign(socket, { [Symbol.dispose]: () => void socket.destroy() });
  } catch (cause) {
    signal.throwIfAborted();
    throw unreachable(stateDir, cause);
  }
}

async function* linesOf(socket: Socket): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of socket.setEncoding("utf8")) {
    const lines = `${rest}${chunk}`.split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

function unreachable(stateDir: string, cause: unknown): LazysshError {
  const code = (cause as NodeJS.ErrnoException).code;
  const why =
    code === "ENOENT" || code === "ECONNREFUSED"
      ? `no server uses the state directory ${stateDir}`
      : code === "EACCES" || code === "EPERM"
        ? `the server of the state directory ${stateDir} answers only the user it runs as, and root`
        : `cannot reach the server of the state directory ${stateDir}: ${messageOf(cause)}`;
  return new LazysshError("CONNECT_FAILED", why, { cause });
}

function ended(stateDir: string, cause: unknown): LazysshError {
  return new LazysshError(
    "SHUTTING_DOWN",
    `the server of the state directory ${stateDir} has ended before it answered`,
    { cause },
  );
}
