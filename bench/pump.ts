/**
 * The far ends of what is measured, in a process of their own: `fork(pump)`, send `{ do, … }`, get `{ port }`.
 *
 * - `sink`: takes `bytes` of each connection, and then answers with one byte.
 * - `source`: sends `bytes` on each connection, and ends it when the client does.
 * - `greeter`: sends one byte at once, and then what it is sent.
 * - `relay`: to `port` on this machine, each byte `delayMs` later in either direction, and at most `bytesPerSecond` towards the port.
 */
import { connect, createServer, type Server, type Socket } from "node:net";

export type Order =
  | { readonly do: "sink" | "source"; readonly bytes: number }
  | { readonly do: "greeter" }
  | {
      readonly do: "relay";
      readonly port: number;
      readonly delayMs: number;
      readonly bytesPerSecond?: number;
    };

function sink(socket: Socket, bytes: number): void {
  let got = 0;
  socket.on("data", (chunk) => {
    got += chunk.length;
    if (got === bytes) socket.write("k");
  });
  socket.on("end", () => socket.end());
}

const BLOCK = Buffer.alloc(256 * 1024);

function source(socket: Socket, bytes: number): void {
  let left = bytes;
  const more = (): void => {
    while (left > 0) {
      const piece = BLOCK.subarray(0, Math.min(left, BLOCK.length));
      left -= piece.length;
      if (!socket.write(piece)) return;
    }
  };
  socket.on("drain", more);
  socket.on("end", () => socket.end());
  socket.resume();
  more();
}

function greeter(socket: Socket): void {
  socket.write("k");
  socket.pipe(socket);
}

/** Holds as much as is under way: latency is what is measured, not the size of this relay's buffers. */
function relay(client: Socket, { port, delayMs, bytesPerSecond }: Extract<Order, { do: "relay" }>): void {
  const server = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
  server.on("error", () => client.destroy());
  client.on("error", () => server.destroy());
  client.on("close", () => setTimeout(() => server.destroy(), delayMs));
  server.on("close", () => setTimeout(() => client.destroy(), delayMs));
  const delayed = (from: Socket, to: Socket): void => {
    from.on("data", (chunk) => setTimeout(() => to.writable && to.write(chunk), delayMs));
    from.on("end", () => setTimeout(() => to.end(), delayMs));
  };
  if (bytesPerSecond === undefined) delayed(client, server);
  else limited(client, server, bytesPerSecond);
  delayed(server, client);
}

/** As a link is that carries so much: what comes faster waits where it comes from. */
function limited(from: Socket, to: Socket, bytesPerSecond: number): void {
  let free = performance.now();
  from.on("data", (chunk) => {
    to.write(chunk);
    free = Math.max(free, performance.now()) + (chunk.length / bytesPerSecond) * 1000;
    const wait = free - performance.now();
    // Timers are no finer.
    if (wait < 2) return;
    from.pause();
    setTimeout(() => from.resume(), wait);
  });
  from.on("end", () => to.end());
}

function serve(order: Order): Server {
  return createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on("error", () => undefined);
    switch (order.do) {
      case "sink":
        return sink(socket, order.bytes);
      case "source":
        return source(socket, order.bytes);
      case "greeter":
        return greeter(socket);
      case "relay":
        return relay(socket, order);
    }
  });
}

process.on("message", (order: Order) => {
  const server = serve(order).listen({ port: 0, host: "127.0.0.1", backlog: 1024 }, () => {
    const address = server.address();
    process.send?.({ port: typeof address === "object" && address ? address.port : 0 });
  });
});
process.on("disconnect", () => process.exit());
