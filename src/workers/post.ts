import type { EventStream } from "../observe/index.ts";
import type { ByHand } from "../targets/by-hand.ts";
import type { Targets } from "../targets/lease.ts";
import type { Clock } from "../util/clock.ts";
import { messageOf } from "../util/errors.ts";
import type { Client } from "./client.ts";
import { createDesk, type Desk } from "./desk.ts";
import { createLedger, type Ledger } from "./ledger.ts";
import type { ToOwner, ToWorker } from "./messages.ts";
import { createSeat, type End } from "./seat.ts";

export interface PostOptions {
  readonly program: URL;
  readonly targets: Targets;
  readonly controls: ByHand;
  readonly events: EventStream;
  readonly clock: Clock;
  /** What a new worker is told first. */
  readonly begin: () => ToWorker;
  /** It can take a client, as far as is known. */
  readonly onFree: () => void;
  /** It does not have this client, that was handed to it. */
  readonly onMissed: (client: Client) => void;
  /** What is about clients. */
  readonly onMessage: (message: ToOwner) => void;
  /** The ends of what a worker had that has ended itself. */
  readonly onLost: (ids: readonly string[]) => void;
  /** Whether workers end because they are to, and whether no other one comes in the place of one that does. */
  readonly phase: () => "serving" | "refusing" | "closing";
}

/** A worker, its clients and what it holds for them; after its end the next one. */
export interface Post {
  readonly ready: boolean;
  /** Whether it has file descriptors for more clients. */
  readonly room: boolean;
  /** Whether a client can be handed to it now: one at a time, so that a busy worker is not given more. */
  readonly free: boolean;
  /** Clients. */
  readonly load: number;
  /** @throws LazysshError when its first worker does not come up. */
  start(): Promise<void>;
  hand(client: Client): void;
  send(message: ToWorker): void;
  /** A client is over. */
  forget(id: string): void;
  /** No worker takes the place of one that ends. */
  stop(): void;
  close(ms: number): Promise<void>;
}

/** A worker that has missed a client gets no other one for so long: it lacks file descriptors, and will say so. */
const MISSED_MS = 1_000;

export function createPost(options: PostOptions): Post {
  const { events, clock, onFree, onMissed, onMessage } = options;
  const clients = new Set<string>();
  let room = true;
  let missing = false;
  /** Until the worker has said that it has it. */
  let handing: Client | undefined;
  let desk: Desk;
  let ledger: Ledger;

  const renew = (): void => {
    desk = createDesk({ ...options, send: (message) => seat.send(message) });
    ledger = createLedger();
    clients.clear();
    room = true;
    handing = undefined;
  };

  const missed = (client: Client): void => {
    if (handing !== client) return;
    handing = undefined;
    missing = true;
    onMissed(client);
    const again = (): void => {
      missing = false;
      onFree();
    };
    clock.sleep(MISSED_MS).then(again, again);
  };

  const got = (id: string): void => {
    const client = handing;
    if (client?.id !== id) return;
    handing = undefined;
    clients.add(id);
    // Ours of the two: the connection is open as long as one is.
    client.socket?.destroy();
    client.socket = undefined;
    onFree();
  };

  const receive = (message: ToOwner): void => {
    switch (message.type) {
      case "event":
        ledger.note(message.event, clock.now());
        events.emit(message.event);
        break;
      case "got":
        got(message.id);
        break;
      case "missed":
        if (handing?.id === message.id) missed(handing);
        break;
      case "room":
        ({ room } = message);
        if (room) onFree();
        break;
      case "call":
      case "leave":
      case "traffic":
        desk.receive(message);
        break;
      default:
        onMessage(message);
    }
  };

  const onEnded = ({ pid, how }: End): void => {
    const lost = [...clients];
    const back = handing;
    const cost = `${count(lost.length, "connection")} with ${count(ledger.channels, "channel")}`;
    const phase = options.phase();
    if (phase !== "closing") {
      const next = phase === "serving" ? ": another one takes its place" : "";
      const reason = `a worker (process ${pid}) ${how}, and with it ${cost} ended${next}`;
      events.emit({ type: "server.warning", reason });
    }
    const reason = `the worker that served it (process ${pid}) ${how}`;
    const carried = desk.close(reason);
    for (const event of ledger.close(reason, clock.now(), carried)) events.emit(event);
    renew();
    options.onLost(lost);
    if (back) onMissed(back);
  };

  const seat = createSeat({
    ...options,
    onReady: onFree,
    onMessage: receive,
    onEnded,
    onTrouble(error) {
      const reason = `no worker takes the place of one that ended, and it is tried again: ${messageOf(error)}`;
      events.emit({ type: "server.warning", reason });
    },
  });
  renew();

  return {
    get ready() {
      return seat.ready;
    },
    get room() {
      return room;
    },
    get free() {
      return seat.ready && room && !missing && handing === undefined;
    },
    get load() {
      return clients.size;
    },
    start: seat.start,
    hand(client) {
      handing = client;
      const { comer, handle, id } = client;
      seat.send({ type: "client", comer }, handle, () => missed(client));
      seat.send({ type: "handed", id });
    },
    send: (message) => seat.send(message),
    forget: (id) => void clients.delete(id),
    stop: seat.stop,
    close: seat.close,
  };
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
