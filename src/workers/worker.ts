import { Socket, type SocketConstructorOpts } from "node:net";
import { createEventStream } from "../observe/index.ts";
import { createHall, type Hall, HIGH_WATER, wireReady } from "../server/index.ts";
import type { Clock } from "../util/clock.ts";
import { errorToWire, type ToOwner, type ToWorker, type WireComer } from "./messages.ts";
import { createRemote, type Remote } from "./remote.ts";
import { createRemoteStrangers, type RemoteStrangers } from "./remote-strangers.ts";

export interface WorkerOptions {
  readonly send: (message: ToOwner) => void;
  readonly clock: Clock;
  /** All that had to be done is done, and told. */
  readonly onClosed: () => void;
}

/** Serves the clients that the owner of machines hands over. Call it with each message, and what came with that. */
export type Worker = (message: ToWorker, handle: unknown) => void;

interface Serving {
  readonly hall: Hall;
  readonly remote: Remote;
  readonly strangers: RemoteStrangers;
}

/** When no more clients can be let in, it is looked so often whether they can again. */
const ROOM_MS = 250;

export function createWorker({ send, clock, onClosed }: WorkerOptions): Worker {
  let serving: Serving | undefined;
  let full = false;
  let room = true;

  const begin = async (message: Extract<ToWorker, { type: "begin" }>): Promise<void> => {
    const { server, targets, serverSince, windowBytes } = message;
    full = message.full;
    const events = createEventStream();
    events.subscribe((event) => send({ type: "event", event }));
    const remote = createRemote({ addresses: targets, send, clock });
    const strangers = createRemoteStrangers(send, clock);
    const hall = createHall({
      config: server,
      ...remote,
      events,
      clock,
      serverSince,
      windowBytes,
      strangers: () => strangers,
      full: () => full,
    });
    serving = { hall, remote, strangers };
    await wireReady;
    hall.open();
    send({ type: "ready" });
  };

  const watchRoom = async (hall: Hall): Promise<void> => {
    if (!room || hall.room) return;
    room = false;
    send({ type: "room", room });
    while (!hall.room) await clock.sleep(ROOM_MS);
    room = true;
    send({ type: "room", room });
  };

  const enter = ({ hall }: Serving, comer: WireComer, handle: unknown): void => {
    const id = comer.tenant.connection;
    // Then it is missed, as the next message will show.
    if (!handle) return;
    send({ type: "got", id });
    const socket = socketOf(handle);
    socket.on("error", () => undefined);
    if (hall.refusing === undefined) {
      hall.enter({ ...comer, socket });
      void watchRoom(hall);
    } else {
      socket.destroy();
      send({ type: "left", id, offence: undefined });
    }
  };

  const came = new Set<string>();

  return (message, handle) => {
    if (message.type === "begin") {
      begin(message).catch((error: unknown) => send({ type: "unable", error: errorToWire(error) }));
      return;
    }
    if (message.type === "ping") return send({ type: "pong" });
    if (!serving) return;
    const { hall, remote, strangers } = serving;
    switch (message.type) {
      case "client":
        if (handle) came.add(message.comer.tenant.connection);
        enter(serving, message.comer, handle);
        break;
      case "handed":
        if (!came.delete(message.id)) send({ type: "missed", id: message.id });
        break;
      case "reload":
        hall.reload(message.server);
        remote.redefine(message.targets);
        break;
      case "full":
        ({ full } = message);
        break;
      case "drop":
        strangers.drop(message.id, message.reason);
        break;
      case "refuse":
        hall.refuseNew(message.reason);
        break;
      case "close":
        void hall.close().then(onClosed);
        break;
      default:
        remote.receive(message);
    }
  };
}

/** The connection is one of Node's own kind, without a socket around it. */
function socketOf(handle: unknown): Socket {
  const options: SocketConstructorOpts & { readonly handle: unknown; readonly highWaterMark: number } = {
    handle,
    highWaterMark: HIGH_WATER,
    readable: true,
    writable: true,
  };
  return new Socket(options);
}
