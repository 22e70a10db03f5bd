import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { totalmem } from "node:os";
import type { ServerConfig } from "../config/types.ts";
import type { EventStream } from "../observe/events.ts";
import type { ByHand } from "../targets/by-hand.ts";
import type { Targets } from "../targets/lease.ts";
import type { Clock } from "../util/clock.ts";
import { messageOf } from "../util/errors.ts";
import { nativeCiphersLeftOut } from "../util/native-ciphers.ts";
import { type Connection, serveConnection } from "./connection.ts";
import { sourceOf } from "./gate.ts";
import { readHostKeys } from "./host-keys.ts";
import { HYBRID_KEX, hasHybridKex } from "./hybrid-kex.ts";
import { type Limits, limitsOf } from "./limits.ts";
import { createListeners } from "./listeners.ts";
import { type Comer, createLobby } from "./lobby.ts";
import { openFiles } from "./open-files.ts";
import { DISCONNECT } from "./protocol.ts";
import { BEATS_PER_KEEPALIVE } from "./pulse.ts";
import { createSockets } from "./sockets.ts";
import { createStrangers } from "./strangers.ts";
import { createTurnAway } from "./turn-away.ts";
import { createWindowBudget } from "./window-budget.ts";
import { hasNativeCiphers, wireReady } from "./wire.ts";

export interface FrontDoorOptions {
  readonly config: ServerConfig;
  readonly targets: Targets;
  /** For what is asked by `ssh lazyssh COMMAND`. */
  readonly controls: ByHand;
  readonly events: EventStream;
  readonly clock: Clock;
  /** Those not given are as the config says. */
  readonly limits?: Partial<Limits>;
}

/** The SSH server that clients jump through. It knows targets by name, and nothing about machines. */
export interface FrontDoor {
  /** Open connections, authenticated or not. */
  readonly connections: number;
  /**
   * Listens, and resolves to the first address it is bound to.
   *
   * @param sockets File descriptors of sockets that listen already, to be used instead of the config's address.
   * @throws LazysshError `CONFIG_INVALID` when the address is in use, not allowed or not here.
   */
  listen(sockets?: readonly number[]): Promise<{ host: string; port: number }>;
  /** Whether new connections can come. */
  readonly listening: boolean;
  /**
   * Has another config for whoever logs in from now on. Where it listens does not change.
   *
   * @throws LazysshError `CONFIG_INVALID` when a host key cannot be used; then everything stays as it was.
   */
  reload(config: ServerConfig): void;
  /** No new connections, and no new channels on those there are: they are refused with this text. */
  refuseNew(reason: string): void;
  /** Ends all connections with a message and resolves when they are gone, within `closeMs`. Idempotent. */
  close(): Promise<void>;
}

/** Bytes that all clients together may send before targets have taken them; a quarter of the memory if that is less. */
const MOST_WINDOWS = 2 * 1024 * 1024 * 1024;
/** With all of them free a new channel has the largest window there is, and with a thousand that do nothing there is something left to grow. */
const FIRST_SHARE = 1 / 256;

/** That connections cannot be accepted is said so often. */
const TROUBLE_MS = 60_000;

/** @throws LazysshError `CONFIG_INVALID` when the host key cannot be used. */
export function createFrontDoor({ targets, controls, events, clock, ...rest }: FrontDoorOptions): FrontDoor {
  const read = (config: ServerConfig) => ({
    config,
    limits: { ...limitsOf(config.limits), ...rest.limits },
    hostKeys: readHostKeys(config.hostKeys, clock.now()),
  });
  let current = read(rest.config);
  const serverSince = clock.now();
  const warn = (): void => {
    for (const reason of current.hostKeys.warnings) events.emit({ type: "server.warning", reason });
  };
  const connections = new Set<Connection>();
  /** Those of them that have logged in. */
  const members = new Set<Connection>();
  const stopped = new AbortController();
  let refusing: string | undefined;
  let troubleAt = Number.NEGATIVE_INFINITY;
  let closing: Promise<void> | undefined;
  let onEmpty: () => void = () => undefined;
  const onLeft = (): void => {
    if (connections.size + lobby.size === 0) onEmpty();
  };
  const sockets = createSockets(openFiles());
  const windows = createWindowBudget(Math.min(MOST_WINDOWS, totalmem() / 4), { firstShare: FIRST_SHARE });
  const turnAway = createTurnAway(clock);
  const strangers = createStrangers({
    limits: () => current.limits,
    room: () => sockets.roomForClient,
    known: (source) => [...members].some((member) => member.source === source),
    events,
    clock,
  });

  const accept = (socket: Socket): void => {
    // Before anything else: an error without a listener would end the process.
    socket.on("error", () => undefined);
    const address = socket.remoteAddress?.replace(/^::ffff:/, "");
    if (address === undefined || refusing !== undefined) return void socket.destroy();
    const source = sourceOf(address);
    const objection = strangers.objection(source);
    if (objection !== undefined) return void turnAway(socket, objection);
    const client = `${address.includes(":") ? `[${address}]` : address}:${socket.remotePort ?? 0}`;
    const tenant = { connection: randomBytes(4).toString("hex"), client };
    socket.once("close", sockets.take());
    strangers.arrived(lobby.enter({ socket, tenant, address, source, cameAt: clock.now() }));
  };

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
        const most = current.limits.connections;
        if (members.size < most) return undefined;
        strangers.tooMany(source);
        return `this jump host has ${most} connections, more are not allowed: try again later`;
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

  const listeners = createListeners({
    accept,
    onError(error) {
      // There may be thousands, all for the same reason.
      if (clock.now() - troubleAt < TROUBLE_MS) return;
      troubleAt = clock.now();
      events.emit({ type: "server.warning", reason: cannotAccept(error) });
    },
  });

  const beat = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(current.limits.keepaliveMs / BEATS_PER_KEEPALIVE, stopped.signal);
      for (const connection of connections) connection.pulse();
      strangers.report();
    }
  };

  const refuseNew = (reason: string): void => {
    refusing ??= reason;
    listeners.close();
  };

  const close = async (): Promise<void> => {
    refuseNew("the jump host is shutting down");
    stopped.abort();
    const empty = new Promise<void>((resolve) => {
      onEmpty = resolve;
    });
    for (const connection of connections) {
      connection.end(DISCONNECT.BY_APPLICATION, refusing ?? "the jump host is shutting down");
    }
    lobby.close();
    if (connections.size + lobby.size > 0) await empty;
    await listeners.closed();
  };

  return {
    get connections() {
      return connections.size + lobby.size;
    },
    get listening() {
      return listeners.listening;
    },
    async listen(sockets) {
      await wireReady;
      if (!hasNativeCiphers) {
        const what = nativeCiphersLeftOut()
          ? "ssh2's native ciphers are left out, because they were compiled with headers that make them abort this Node"
          : "ssh2's native ciphers are missing";
        const remedy = nativeCiphersLeftOut()
          ? "compile them with Node 24.18, later ones can use that"
          : "run `npm rebuild ssh2` with a C++ compiler";
        events.emit({
          type: "server.warning",
          reason: `${what}, every byte costs a third more CPU: ${remedy}`,
        });
      }
      if (!hasHybridKex) {
        const here = `this is Node ${process.versions.node} with OpenSSL ${process.versions.openssl}`;
        const reason = `no post-quantum key exchange (${HYBRID_KEX}), which a current ssh warns about: Node 24.7 or later with OpenSSL 3.5 brings it, ${here}`;
        events.emit({ type: "server.notice", reason });
      }
      warn();
      const address = await listeners.listen(current.config.listen, sockets);
      beat().catch(() => undefined);
      return address;
    },
    reload(config) {
      current = read(config);
      warn();
    },
    refuseNew,
    close: () => (closing ??= close()),
  };
}

function cannotAccept(error: NodeJS.ErrnoException): string {
  const { code = "" } = error;
  const why = /^(EMFILE|ENFILE)$/.test(code)
    ? `no file descriptors are left (${code}), raise the limit of open files (LimitNOFILE, ulimit -n)`
    : messageOf(error);
  return `connections could not be accepted: ${why}`;
}
