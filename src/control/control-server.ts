import { rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import type { EventStream } from "../observe/index.ts";
import type { ServerFacts } from "../report/status.ts";
import type { ByHand } from "../targets/by-hand.ts";
import type { Clock } from "../util/clock.ts";
import { deadline } from "../util/deadline.ts";
import { asLazysshError, LazysshError } from "../util/errors.ts";
import { bindPrivately } from "./bind.ts";
import { perform } from "./perform.ts";
import { type Answer, CONTROL_SOCKET, parseRequest } from "./protocol.ts";
import { readLine } from "./read-line.ts";

export interface ControlOptions {
  readonly machines: ByHand;
  readonly facts: Required<ServerFacts>;
  readonly clock: Clock;
  readonly events: EventStream;
}

/** Takes requests of the user who runs the server, and of nobody else. */
export interface Control {
  /** Takes no more requests and ends the connections there are; what they wait for is given up. Idempotent. */
  close(): Promise<void>;
}

const MOST_BYTES = 64 * 1024;
const MOST_CLIENTS = 256;
/** How long a client may take to say what it wants, and to read the answer. */
const PATIENCE_MS = 10_000;
/** A client that lets so much lie unread does not read at all. */
const MOST_UNREAD_BYTES = 16 * 1024 * 1024;

/**
 * Listens on the socket `control` in the state directory, which must be held by this process.
 *
 * @throws Error when the socket cannot be made there.
 */
export async function openControl(options: ControlOptions): Promise<Control> {
  const { stateDir } = options.facts.place;
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    void serve(socket, options);
  });
  server.maxConnections = MOST_CLIENTS;
  try {
    await bindPrivately(server, stateDir, CONTROL_SOCKET);
  } catch (error) {
    server.close();
    throw error;
  }
  server.on("error", () => undefined); // of a connection that could not be accepted
  server.unref(); // what keeps the program there is the front door
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await rm(join(stateDir, CONTROL_SOCKET), { force: true });
    const closed = new Promise<void>((done) => server.close(() => done()));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return { close: () => (closing ??= close()) };
}

async function serve(socket: Socket, options: ControlOptions): Promise<void> {
  const over = new AbortController();
  socket.on("error", () => undefined).once("close", () => over.abort("closed"));
  const say = (answer: Answer): void => {
    if (!socket.writable) return;
    socket.write(`${JSON.stringify(answer)}\n`);
    if (socket.writableLength > MOST_UNREAD_BYTES) socket.destroy();
  };
  try {
    say({ ok: await answer(socket, options, (waiting) => say({ waiting })) });
  } catch (cause) {
    const { code, message } = asLazysshError(cause);
    say({ error: { code, message } });
  }
  socket.end();
  await options.clock.sleep(PATIENCE_MS, over.signal).catch(() => undefined);
  socket.destroy();
}

async function answer(
  socket: Socket,
  { machines, facts, clock, events }: ControlOptions,
  onWaiting: (what: string) => void,
): Promise<unknown> {
  const gone = new AbortController();
  const leave = () => gone.abort(new LazysshError("BOOT_CANCELLED", "who asked for it has left"));
  socket.once("close", leave);
  try {
    const request = parseRequest(await requestLine(socket, clock, gone.signal));
    // Only a start waits for long, and is taken back; half a connection is as good as none then.
    if (request.do === "start") {
      if (socket.readableEnded) leave();
      else socket.once("end", leave);
    }
    events.emit({ type: "control", ...request });
    return await perform(request, { machines, facts, clock, gone: gone.signal, onWaiting });
  } finally {
    // What was given stays given when who asked leaves with it.
    socket.off("close", leave).off("end", leave);
  }
}

async function requestLine(socket: Socket, clock: Clock, gone: AbortSignal): Promise<string> {
  const silent = () => new LazysshError("BAD_REQUEST", "nothing was asked within 10 s");
  using limit = deadline(clock, PATIENCE_MS, silent, gone);
  return await readLine(socket, MOST_BYTES, limit.signal);
}
