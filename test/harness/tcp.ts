import { randomInt } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { eventually } from "./world.ts";

/** A TCP server on a loopback port. */
export interface TcpTarget extends AsyncDisposable {
  readonly server: Server;
  readonly port: number;
  /** Connections it has now. */
  readonly sockets: ReadonlySet<Socket>;
}

/** Half-open sockets: each direction ends when the test ends it. */
export async function tcpTarget(onConnection: (socket: Socket) => void): Promise<TcpTarget> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    onConnection(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no TCP address");
  return {
    server,
    port: address.port,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Sends back what it gets, and ends when the other side does. */
export const echo = (socket: Socket): void => void socket.pipe(socket);

/** A loopback port that was free a moment ago, and below those that the system gives to who asks for any. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 30_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((closed) => server.close(closed));
    return port;
  }
}

/** A connection to a socket in a folder, as soon as somebody listens there: it may be seen before that. Half-open, as those of {@link tcpTarget}. */
export function connected(path: string): Promise<Socket> {
  return eventually(
    `${path} to be listened at`,
    () =>
      new Promise<Socket | false>((resolve) => {
        const socket = connect({ path, allowHalfOpen: true });
        socket.once("connect", () => resolve(socket));
        socket.on("error", () => resolve(false));
      }),
  );
}
