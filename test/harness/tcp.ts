import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";

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

/** A loopback port that was free a moment ago. */
export async function freePort(): Promise<number> {
  await using taken = await tcpTarget((socket) => socket.destroy());
  return taken.port;
}
