import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { createServer, type ListenOptions, type Server, type Socket } from "node:net";
import type { HostPort } from "../config/types.ts";
import type { EventStream } from "../observe/events.ts";
import type { Clock } from "../util/clock.ts";
import { LazysshError, messageOf } from "../util/errors.ts";

export interface ListenersOptions {
  readonly accept: (socket: Socket) => void;
  /** Nothing is read of them here, because another process will. */
  readonly handOver?: boolean;
  /** A connection could not be accepted; the next ones may be. */
  readonly onError: (error: Error) => void;
}

/** The sockets that clients connect to. */
export interface Listeners {
  /**
   * Binds every address that the host name has (`localhost` is usually both 127.0.0.1 and ::1) and resolves to the
   * first. With port 0 the system's choice for the first is tried for the others too.
   *
   * @param sockets File descriptors of TCP sockets that listen already: where there are any, `at` is not looked at.
   * @throws LazysshError `CONFIG_INVALID`
   */
  listen(at: HostPort, sockets?: readonly number[]): Promise<{ host: string; port: number }>;
  /** Whether all of them do. */
  readonly listening: boolean;
  /** Takes no more connections. Idempotent. */
  close(): void;
  /** Resolves when all are closed. */
  closed(): Promise<void>;
}

/** Bytes a connection may have unsent before it counts as full. */
export const HIGH_WATER = 128 * 1024;
/**
 * Connections that the system holds until they are accepted. A client that finds no place there tries again only after a
 * second; Linux cuts it to net.core.somaxconn.
 */
const BACKLOG = 4_096;

/** That connections cannot be accepted is said so often. */
const TROUBLE_MS = 60_000;

export function createListeners({ accept, handOver = false, onError }: ListenersOptions): Listeners {
  const servers: Server[] = [];
  let done: Promise<unknown> = Promise.resolve();

  const bind = (host: string | undefined, port: number) =>
    start({ ...(host !== undefined && { host }), port, backlog: BACKLOG });

  const start = async (where: ListenOptions | { fd: number }): Promise<{ host: string; port: number }> => {
    const server = createServer(
      { noDelay: true, highWaterMark: HIGH_WATER, pauseOnConnect: handOver },
      accept,
    );
    server.listen(where);
    await once(server, "listening");
    server.on("error", onError);
    servers.push(server);
    const bound = server.address();
    if (bound === null || typeof bound === "string") throw new Error("bound to no TCP address");
    return { host: bound.address, port: bound.port };
  };

  const bindAll = async (at: HostPort): Promise<{ host: string; port: number }> => {
    if (at.host === "") return bind(undefined, at.port);
    const found = await lookup(at.host, { all: true });
    const hosts = [...new Set(found.map(({ address }) => address))];
    let first: { host: string; port: number } | undefined;
    let absent: unknown;
    for (const host of hosts) {
      try {
        const bound = await bind(host, first?.port ?? at.port);
        first ??= bound;
      } catch (error) {
        // A name may have an address of a family that this machine does not use.
        if (isAbsent(error)) absent = error;
        else if (at.port !== 0 || !first) throw error;
      }
    }
    if (first) return first;
    throw absent ?? new Error("the name has no address");
  };

  /** Those of another's choice. */
  const take = async (sockets: readonly number[]): Promise<{ host: string; port: number }> => {
    let first: { host: string; port: number } | undefined;
    for (const fd of sockets) {
      try {
        const bound = await start({ fd });
        first ??= bound;
      } catch (error) {
        throw new LazysshError("CONFIG_INVALID", cannotTake(fd, error), { cause: error });
      }
    }
    if (!first) throw new Error("no socket was given");
    return first;
  };

  return {
    get listening() {
      return servers.length > 0 && servers.every((server) => server.listening);
    },
    async listen(at, sockets = []) {
      try {
        return await (sockets.length > 0 ? take(sockets) : bindAll(at));
      } catch (error) {
        for (const server of servers.splice(0)) server.close();
        if (error instanceof LazysshError) throw error;
        throw new LazysshError("CONFIG_INVALID", cannotListen(at, error), { cause: error });
      }
    },
    close() {
      const open = servers.splice(0);
      if (open.length === 0) return;
      done = Promise.all(open.map((server) => new Promise((resolve) => server.close(resolve))));
    },
    async closed() {
      await done;
    },
  };
}

/** A warning for those that could not be accepted: there may be thousands, all for the same reason. */
export function reportTrouble(events: EventStream, clock: Clock): (error: Error) => void {
  let troubleAt = Number.NEGATIVE_INFINITY;
  return (error) => {
    if (clock.now() - troubleAt < TROUBLE_MS) return;
    troubleAt = clock.now();
    events.emit({ type: "server.warning", reason: cannotAccept(error) });
  };
}

function cannotAccept(error: NodeJS.ErrnoException): string {
  const { code = "" } = error;
  const why = /^(EMFILE|ENFILE)$/.test(code)
    ? `no file descriptors are left (${code}), raise the limit of open files (LimitNOFILE, ulimit -n)`
    : messageOf(error);
  return `connections could not be accepted: ${why}`;
}

function isAbsent(error: unknown): boolean {
  const code = codeOf(error);
  return code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT";
}

function codeOf(error: unknown): string {
  return (error instanceof Error && (error as NodeJS.ErrnoException).code) || "";
}

function cannotTake(fd: number, error: unknown): string {
  return (
    `cannot accept connections from the socket that was handed over as file descriptor ${fd}: ${messageOf(error)}; ` +
    "it has to be a TCP socket that listens (in a systemd socket unit: ListenStream=PORT, and not Accept=yes)"
  );
}

function cannotListen({ host, port }: HostPort, error: unknown): string {
  const where = `cannot listen on ${host.includes(":") ? `[${host}]` : host}:${port}`;
  switch (codeOf(error)) {
    case "EADDRINUSE":
      return `${where}: another program has the port (EADDRINUSE); is lazyssh running already? Else change server.listen`;
    case "EACCES":
      return `${where}: ports below 1024 need a privilege (EACCES); choose a higher one in server.listen`;
    case "EADDRNOTAVAIL":
      return `${where}: this machine does not have that address (EADDRNOTAVAIL); change server.listen`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `${where}: the name cannot be resolved (${codeOf(error)}); change server.listen`;
    default:
      return `${where}: ${messageOf(error)}`;
  }
}
