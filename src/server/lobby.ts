import type { Socket } from "node:net";
import type { EventStream } from "../observe/events.ts";
import type { Tenant } from "../targets/lease.ts";
import type { Clock } from "../util/clock.ts";
import { formatDuration } from "../util/duration.ts";
import { PROGRESS } from "./gate.ts";
import { GREETING } from "./ident.ts";
import type { Guest } from "./strangers.ts";

/** A client of which nothing is known but where it comes from. */
export interface Comer {
  readonly socket: Socket;
  readonly tenant: Tenant;
  /** IP address, without port or brackets. */
  readonly address: string;
  /** See {@link Guest}. */
  readonly source: string;
  /** When it was accepted, milliseconds. */
  readonly cameAt: number;
}

export interface LobbyOptions {
  readonly graceMs: () => number;
  readonly clock: Clock;
  readonly events: EventStream;
  /** The first bytes have come, and the client is out of the lobby. Answers who gets them, and all that follow. */
  readonly onSpoken: (comer: Comer, guest: Guest) => (bytes: Buffer) => void;
  /** It is closed, and has said nothing. */
  readonly onGone: (guest: Guest) => void;
}

/**
 * Where clients are that have said nothing yet. They may be many, and cost little more than their sockets: everything that it takes to
 * speak with one is made when it speaks.
 */
export interface Lobby {
  readonly size: number;
  enter(comer: Comer): Guest;
  /** Drops all. */
  close(): void;
}

export function createLobby({ graceMs, clock, events, onSpoken, onGone }: LobbyOptions): Lobby {
  const silent = new Set<Silent>();
  let watching = false;

  const watch = async (): Promise<void> => {
    watching = true;
    while (silent.size > 0) {
      const ms = graceMs();
      await clock.sleep(Math.min(ms / 10, 1_000));
      const overdue = clock.now() - ms;
      for (const one of silent) {
        if (one.since <= overdue) one.end(`the login took longer than ${formatDuration(ms)}`);
      }
    }
    watching = false;
  };

  return {
    get size() {
      return silent.size;
    },
    enter(comer) {
      const guest = new Silent(comer);
      silent.add(guest);
      const { socket } = comer;
      const onClose = (): void => {
        silent.delete(guest);
        if (!guest.dropped) logSilence(events, comer, guest.reason, (clock.now() - comer.cameAt) / 1_000);
        onGone(guest);
      };
      socket.once("close", onClose);
      let receive: ((bytes: Buffer) => void) | undefined;
      // One listener for all: a stream that loses its only one may stop.
      socket.on("data", (bytes: Buffer) => {
        if (!receive) {
          socket.off("close", onClose);
          silent.delete(guest);
          receive = onSpoken(comer, guest);
        }
        receive(bytes);
      });
      // RFC 4253 §4.2: both sides may speak first, and some clients wait.
      socket.write(GREETING);
      if (!watching) watch().catch(() => undefined);
      return guest;
    },
    close() {
      for (const guest of silent) guest.end("the jump host is shutting down");
    },
  };
}

class Silent implements Guest {
  readonly progress = PROGRESS.SILENT;
  reason = "the client closed the connection without a word";
  dropped = false;
  readonly #comer: Comer;

  constructor(comer: Comer) {
    this.#comer = comer;
  }

  get id(): string {
    return this.#comer.tenant.connection;
  }

  get source(): string {
    return this.#comer.source;
  }

  get since(): number {
    return this.#comer.cameAt;
  }

  /** Nothing is said of it, because there may be thousands. */
  drop(): void {
    this.dropped = true;
    this.#comer.socket.resetAndDestroy();
  }

  end(reason: string): void {
    this.reason = reason;
    this.#comer.socket.destroy();
  }
}

function logSilence(events: EventStream, { tenant }: Comer, reason: string, seconds: number): void {
  const { connection, client } = tenant;
  events.emit({ type: "connection.open", connection, client });
  const nothing = { channels: 0, bytesUp: 0, bytesDown: 0 };
  events.emit({ type: "connection.close", connection, client, reason, seconds, ...nothing });
}
