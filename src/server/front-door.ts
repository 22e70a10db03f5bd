import type { Socket } from "node:net";
import type { ServerConfig } from "../config/types.ts";
import type { EventStream } from "../observe/events.ts";
import type { Controls } from "../targets/by-hand.ts";
import type { Targets } from "../targets/lease.ts";
import type { Clock } from "../util/clock.ts";
import { arrivalOf, comerOf } from "./arrival.ts";
import { reportEngine } from "./engine.ts";
import { createHall } from "./hall.ts";
import type { Limits } from "./limits.ts";
import { createListeners, reportTrouble } from "./listeners.ts";
import { createStrangers, type Strangers } from "./strangers.ts";
import { createTurnAway } from "./turn-away.ts";
import { wireReady } from "./wire.ts";

export interface FrontDoorOptions {
  readonly config: ServerConfig;
  readonly targets: Targets;
  /** For what is asked by `ssh lazyssh COMMAND`. */
  readonly controls: Controls;
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

/** @throws LazysshError `CONFIG_INVALID` when the host key cannot be used. */
export function createFrontDoor(options: FrontDoorOptions): FrontDoor {
  const { events, clock } = options;
  let { config } = options;
  let closing: Promise<void> | undefined;
  let strangers: Strangers;
  const turnAway = createTurnAway(clock);
  const hall = createHall({
    ...options,
    strangers(inside) {
      strangers = createStrangers({
        limits: () => inside.limits,
        room: () => inside.room,
        known: (source) => inside.known(source),
        events,
        clock,
      });
      return strangers;
    },
  });
  const warn = (): void => {
    for (const reason of hall.warnings) events.emit({ type: "server.warning", reason });
  };

  const accept = (socket: Socket): void => {
    // Before anything else: an error without a listener would end the process.
    socket.on("error", () => undefined);
    const arrival = arrivalOf(socket);
    if (arrival === undefined || hall.refusing !== undefined) return void socket.destroy();
    const objection = strangers.objection(arrival.source);
    if (objection !== undefined) return void turnAway(socket, objection);
    hall.enter(comerOf(socket, arrival, clock.now()));
  };

  const listeners = createListeners({ accept, onError: reportTrouble(events, clock) });

  const refuseNew = (reason: string): void => {
    hall.refuseNew(reason);
    listeners.close();
  };

  const close = async (): Promise<void> => {
    refuseNew("the jump host is shutting down");
    await hall.close();
    await listeners.closed();
  };

  return {
    get connections() {
      return hall.connections;
    },
    get listening() {
      return listeners.listening;
    },
    async listen(sockets) {
      await wireReady;
      reportEngine(events);
      warn();
      const address = await listeners.listen(config.listen, sockets);
      hall.open();
      return address;
    },
    reload(next) {
      hall.reload(next);
      config = next;
      warn();
    },
    refuseNew,
    close: () => (closing ??= close()),
  };
}
