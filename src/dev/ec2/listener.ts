import { once } from "node:events";
import http from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** An HTTP listener on 127.0.0.1 that can vanish and come back on the same port. */
export interface Listener {
  readonly port: number;
  /** Stops listening and resets every connection. */
  down(): Promise<void>;
  /** Listens again, on the same port. */
  up(): Promise<void>;
}

/**
 * @param port the port wanted, or 0; one that is taken is replaced by a free one.
 */
export async function createListener(port: number, onRequest: http.RequestListener): Promise<Listener> {
  const sockets = new Set<Socket>();
  const server = http.createServer(onRequest);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  // A client that speaks no HTTP is the client's business.
  server.on("clientError", (_error, socket) => socket.destroy());

  const listen = async (wanted: number): Promise<number> => {
    server.listen(wanted, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  };
  let bound: number;
  try {
    bound = await listen(port);
  } catch (error) {
    if (port === 0 || (error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    bound = await listen(0);
  }

  return {
    port: bound,
    async down() {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.resetAndDestroy();
      await closed;
    },
    async up() {
      if (!server.listening) await listen(bound);
    },
  };
}
