import { connect, type Socket } from "node:net";
import { systemClock } from "../../src/util/clock.ts";
import { tcpTarget } from "./tcp.ts";

export interface RelayOptions {
  /** In each direction of each connection. Default: as fast as it goes. */
  readonly bytesPerSecond?: number;
}

/** A link to a port on loopback that can be slow, be cut, or fall silent. */
export interface Relay extends AsyncDisposable {
  /** Where clients connect to. */
  readonly port: number;
  /** Bytes that clients have sent through it, and got through it, so far. */
  readonly passed: { readonly up: number; readonly down: number };
  /** Resets all connections now. New ones are taken. */
  cut(): void;
  /** Resets all connections when clients have sent so many more bytes, once. */
  cutAfter(bytes: number): void;
  /** From now on nothing is passed on, and nothing is closed, until `resume`. */
  stall(): void;
  resume(): void;
}

/** What a sleep is worth taking for; below that the rate is met on average. */
const STEP_MS = 2;

export async function startRelay(target: number, { bytesPerSecond }: RelayOptions = {}): Promise<Relay> {
  const passed = { up: 0, down: 0 };
  const sockets = new Set<Socket>();
  const over = new AbortController();
  let cutAt = Number.POSITIVE_INFINITY;
  let stalled: Promise<void> | undefined;
  let release: () => void = () => undefined;
  const cut = (): void => {
    cutAt = Number.POSITIVE_INFINITY;
    for (const socket of sockets) socket.resetAndDestroy();
  };

  const pass = async (from: Socket, to: Socket, way: "up" | "down"): Promise<void> => {
    let due = performance.now();
    // The other direction of the same socket may still have something to say.
    for await (const chunk of from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      await stalled;
      const left = way === "up" ? cutAt - passed.up : Number.POSITIVE_INFINITY;
      const piece = chunk.length > left ? chunk.subarray(0, left) : chunk;
      passed[way] += piece.length;
      to.write(piece);
      if (piece.length >= left) {
        cut();
        return;
      }
      if (bytesPerSecond !== undefined) {
        due = Math.max(due, performance.now() - STEP_MS) + (piece.length / bytesPerSecond) * 1000;
        const wait = due - performance.now();
        if (wait > STEP_MS) await systemClock.sleep(wait, over.signal);
      }
      if (to.writableNeedDrain && !to.destroyed) await taken(to);
    }
    to.end();
  };

  const listener = await tcpTarget((client) => {
    const server = connect({ port: target, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
    client.setNoDelay(true);
    const ends = [client, server] as const;
    const close = (): void => {
      for (const socket of ends) socket.destroy();
    };
    for (const socket of ends) {
      sockets.add(socket);
      socket.on("error", close);
      socket.on("close", () => sockets.delete(socket));
    }
    pass(client, server, "up").catch(close);
    pass(server, client, "down").catch(close);
  });

  return {
    port: listener.port,
    passed,
    cut,
    cutAfter: (bytes) => {
      cutAt = passed.up + bytes;
    },
    stall: () => {
      stalled ??= new Promise((resolve) => {
        release = resolve;
      });
    },
    resume: () => {
      stalled = undefined;
      release();
    },
    async [Symbol.asyncDispose]() {
      over.abort(new Error("the relay is closed"));
      stalled = undefined;
      release();
      for (const socket of sockets) socket.destroy();
      await listener[Symbol.asyncDispose]();
    },
  };
}

/** Resolves when a socket takes more, or is gone. */
function taken(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off("drain", done).off("close", done);
      resolve();
    };
    socket.on("drain", done).on("close", done);
  });
}
