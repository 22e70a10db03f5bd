import { totalmem } from "node:os";
import type { ServerConfig } from "../config/types.ts";
import type { EventStream } from "../observe/events.ts";
import type { Controls } from "../targets/by-hand.ts";
import type { Targets } from "../targets/lease.ts";
import type { Clock } from "../util/clock.ts";
import { type Connection, serveConnection } from "./connection.ts";
import { readHostKeys } from "./host-keys.ts";
import { type Limits, limitsOf } from "./limits.ts";
import { type Comer, createLobby } from "./lobby.ts";
import { openFiles } from "./open-files.ts";
import { DISCONNECT } from "./protocol.ts";
import { BEATS_PER_KEEPALIVE } from "./pulse.ts";
import { createSockets } from "./sockets.ts";
import type { Strangers } from "./strangers.ts";
import { createWindowBudget } from "./window-budget.ts";

export interface HallOptions {
  readonly config: ServerConfig;
  readonly targets: Targets;
  /** For what is asked by `ssh lazyssh COMMAND`. */
  readonly controls: Controls;
  readonly events: EventStream;
  readonly clock: Clock;
  /** Since when the server serves, milliseconds since the epoch. Default: now. */
  readonly serverSince?: number;
  /** Those not given are as the config says. */
  readonly limits?: Partial<Limits>;
  /** Bytes that all clients together may send before targets have taken them. Default: {@link MOST_WINDOWS}. */
  readonly windowBytes?: number;
  readonly strangers: (hall: Inside) => Strangers;
  /** Whether nobody else may log in. Default: when as many are here as the config allows. */
  readonly full?: () => boolean;
}

/** What those at the door need to know of those inside. */
export interface Inside {
  /** As they are now: they may be reloaded. */
  readonly limits: Limits;
  /** Whether there is a file descriptor for one more client. */
  readonly room: boolean;
  /** Whether somebody from there is logged in. */
  known(source: string): boolean;
}

/** Where clients are that were let in, logged in or not, whoever accepted their connections. */
export interface Hall extends Inside {
  /** Open connections, authenticated or not. */
  readonly connections: number;
  /** Why nobody else is let in, once that is so. */
  readonly refusing: string | undefined;
  /** What is not as it should be with the host keys, in words. */
  readonly warnings: readonly string[];
  /** Begins to look for signs of life. */
  open(): void;
  /** Nothing has been read of its socket. */
  enter(comer: Comer): void;
  /** @throws LazysshError `CONFIG_INVALID` when a host key cannot be used; then everything stays as it was. */
  reload(config: ServerConfig): void;
  /** No new channels: they are refused with this text. */
  refuseNew(reason: string): void;
  /** Ends all connections with a message and resolves when they are gone, within `closeMs`. */
  close(): Promise<void>;
}

/** Two GiB; a quarter of the memory if that is less. */
export const MOST_WINDOWS = Math.min(2 * 1024 * 1024 * 1024, totalmem() / 4);
/** With all of them free a new channel has the largest window there is, and with a thousand that do nothing there is something left to grow. */
const FIRST_SHARE = 1 / 256;

/** What somebody is told who has logged in and is one too many. */
export function fullText(most: number): string {
  return `this jump host has ${most} connections, more are not allowed: try again later`;
}

/** @throws LazysshError `CONFIG_INVALID` when the host key cannot be used. */
export function createHall(options: HallOptions): Hall {
  const { targets, controls, events, clock } = options;
  const read = (config: ServerConfig) => ({
    config,
    limits: { ...limitsOf(config.limits), ...options.limits },
    hostKeys: readHostKeys(config.hostKeys, clock.now()),
  });
  let current = read(options.config);
  const serverSince = options.serverSince ?? clock.now();
  const connections = new Set<Connection>();
  /** Those of them that have logged in. */
  const members = new Set<Connection>();
  const stopped = new AbortController();
  let refusing: string | undefined;
  let onEmpty: () => void = () => undefined;
  const onLeft = (): void => {
    if (connections.size + lobby.size === 0) onEmpty();
  };
  const sockets = createSockets(openFiles());
  const windows = createWindowBudget(options.windowBytes ?? MOST_WINDOWS, { firstShare: FIRST_SHARE });
  const isFull = options.full ?? (() => members.size >= current.limits.connections);

  const serve = (comer: Comer): Connection => {
    const { source } = comer;
    const connection = serveConnection({
      ...comer,
      config: () => current.config,
      hostKeys: current.hostKeys,
      limits: current.limits,
      targets,
      controls,
      serverSince,
      events,
      clock,
      sockets,
      windows,
      refusing: () => refusing,
      full() {
        if (!isFull()) return undefined;
        strangers.tooMany(source);
        return fullText(current.limits.connections);
      },
      onEntered() {
        members.add(connection);
        strangers.entered(connection);
      },
      onClosed(offence) {
        connections.delete(connection);
        strangers.left(connection, offence);
        if (members.delete(connection)) strangers.entered(connection);
        onLeft();
      },
    });
    connections.add(connection);
    strangers.arrived(connection);
    return connection;
  };

  const lobby = createLobby({
    graceMs: () => current.limits.loginGraceMs,
    clock,
    events,
    onSpoken(comer, guest) {
      strangers.left(guest, undefined);
      return serve(comer).receive;
    },
    onGone(guest) {
      strangers.left(guest, undefined);
      onLeft();
    },
  });

  const beat = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(current.limits.keepaliveMs / BEATS_PER_KEEPALIVE, stopped.signal);
      for (const connection of connections) connection.pulse();
      strangers.report();
    }
  };

  const hall: Hall = {
    get connections() {
      return connections.size + lobby.size;
    },
    get limits() {
      return current.limits;
    },
    get room() {
      return sockets.roomForClient;
    },
    get refusing() {
      return refusing;
    },
    get warnings() {
      return current.hostKeys.warnings;
    },
    known: (source) => [...members].some((member) => member.source === source),
    open: () => void beat().catch(() => undefined),
    enter(comer) {
      comer.socket.once("close", sockets.take());
      strangers.arrived(lobby.enter(comer));
    },
    reload(config) {
      current = read(config);
    },
    refuseNew(reason) {
      refusing ??= reason;
    },
    async close() {
      refusing ??= "the jump host is shutting down";
      stopped.abort();
      const empty = new Promise<void>((resolve) => {
        onEmpty = resolve;
      });
      for (const connection of connections) connection.end(DISCONNECT.BY_APPLICATION, refusing);
      lobby.close();
      if (connections.size + lobby.size > 0) await empty;
    },
  };
  const strangers = options.strangers(hall);
  return hall;
}
