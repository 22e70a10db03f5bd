import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Clock } from "../util/clock.ts";
import { LazysshError, messageOf } from "../util/errors.ts";
import type { EventStream } from "./events.ts";
import { createMetrics, type Metrics } from "./metrics.ts";

/** Counts what happens, and tells it over HTTP: GET /metrics, and nothing else. */
export interface MetricsServer {
  /** Where it listens, with the port the system chose when port 0 was asked for. */
  readonly address: { readonly host: string; readonly port: number };
  /** Ends the connections there are. Idempotent. */
  close(): Promise<void>;
}

export interface MetricsServerOptions {
  /** Host name or IP address; "" means every address. */
  readonly at: { readonly host: string; readonly port: number };
  readonly events: EventStream;
  readonly clock: Clock;
}

const MOST_CONNECTIONS = 32;
const HEADERS_MS = 5_000;
const REQUEST_MS = 10_000;
const IDLE_MS = 30_000;
const HEADER_BYTES = 8 * 1024;

/**
 * Loaded only where metrics are wanted, for its library takes memory.
 *
 * @throws LazysshError `CONFIG_INVALID` when it cannot listen there.
 */
export async function serveMetrics({ at, events, clock }: MetricsServerOptions): Promise<MetricsServer> {
  const metrics = createMetrics(clock);
  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES,
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      connectionsCheckingInterval: HEADERS_MS,
    },
    (request, response) => void answer(metrics, request, response),
  );
  server.maxConnections = MOST_CONNECTIONS;
  server.setTimeout(IDLE_MS, (socket) => socket.destroy());
  await listen(server, at);
  server.on("error", () => undefined); // of a connection that could not be accepted
  server.unref(); // what keeps the program there is the front door
  const unsubscribe = events.subscribe(metrics.subscriber);
  const { address: host, port } = server.address() as AddressInfo;
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    unsubscribe();
    const closed = new Promise<void>((done) => server.close(() => done()));
    server.closeAllConnections();
    await closed;
  };
  return { address: { host, port }, close: () => (closing ??= close()) };
}

async function answer(metrics: Metrics, { method, url }: IncomingMessage, to: ServerResponse): Promise<void> {
  // A body that nobody reads must not keep the connection.
  if (method !== "GET") to.setHeader("connection", "close");
  if (url?.split("?", 1)[0] !== "/metrics") {
    to.writeHead(404, { "content-type": "text/plain" }).end("there is only /metrics\n");
  } else if (method !== "GET") {
    to.writeHead(405, { allow: "GET", "content-type": "text/plain" }).end("only GET\n");
  } else {
    to.writeHead(200, { "content-type": metrics.contentType }).end(await metrics.text());
  }
}

async function listen(server: Server, { host, port }: MetricsServerOptions["at"]): Promise<void> {
  try {
    server.listen({ ...(host !== "" && { host }), port });
    await once(server, "listening");
  } catch (error) {
    const where = `${host.includes(":") ? `[${host}]` : host}:${port}`;
    // Without the cause: a port that is taken here says nothing about the port of the front door.
    throw new LazysshError(
      "CONFIG_INVALID",
      `cannot serve metrics on ${where}: ${messageOf(error)}; change server.metrics`,
    );
  }
}
