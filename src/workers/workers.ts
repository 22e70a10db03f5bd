import type { Socket } from "node:net";
import type { Config, ServerConfig, TargetConfig } from "../config/index.ts";
import type { EventStream } from "../observe/index.ts";
import {
  arrivalOf,
  comerOf,
  createListeners,
  createSockets,
  createStrangers,
  createTurnAway,
  type FrontDoor,
  fullText,
  limitsOf,
  MOST_WINDOWS,
  openFiles,
  readHostKeys,
  reportEngine,
  reportTrouble,
  wireReady,
} from "../server/index.ts";
import type { ByHand } from "../targets/by-hand.ts";
import type { Targets } from "../targets/lease.ts";
import type { Clock } from "../util/clock.ts";
import { LazysshError, messageOf } from "../util/errors.ts";
import { Client } from "./client.ts";
import { addressesOf, type ToOwner, type ToWorker } from "./messages.ts";
import { createPost, type Post } from "./post.ts";
import { Queue } from "./queue.ts";

export interface WorkersOptions {
  readonly config: Config;
  readonly targets: Targets;
  readonly controls: ByHand;
  readonly events: EventStream;
  readonly clock: Clock;
}

/** A front door whose clients are served by other processes. */
export interface Workers extends Omit<FrontDoor, "reload"> {
  /** @throws LazysshError `CONFIG_INVALID` when a host key cannot be used; then everything stays as it was. */
  reload(server: ServerConfig, targets: readonly TargetConfig[]): void;
}

const PROGRAM = new URL("./main.js", import.meta.url);
const BEAT_MS = 1_000;
/** For a worker's end, beyond what its connections may take. */
const END_MS = 2_000;

/** @throws LazysshError `CONFIG_INVALID` when the host key cannot be used. */
export function createWorkers({ config, events, clock, ...machines }: WorkersOptions): Workers {
  const count = config.server.workers;
  const read = (server: ServerConfig, targets: readonly TargetConfig[]) => ({
    server,
    addresses: addressesOf(targets),
    limits: limitsOf(server.limits),
    warnings: readHostKeys(server.hostKeys, clock.now()).warnings,
  });
  let current = read(config.server, config.targets);
  const serverSince = clock.now();
  const stopped = new AbortController();
  /** All that are here, by id, and which worker's they are; those that are nobody's yet wait. */
  const clients = new Map<string, { readonly client: Client; post: Post | undefined }>();
  const waiting = new Queue();
  /** Sources of those that have logged in, by id. */
  const members = new Map<string, string>();
  const sockets = createSockets(openFiles());
  const turnAway = createTurnAway(clock);
  let full = false;
  let refusing: string | undefined;
  let closing: Promise<void> | undefined;

  const strangers = createStrangers({
    limits: () => current.limits,
    room: () => sockets.roomForClient && posts.some(({ ready, room }) => room || !ready),
    known: (source) => [...members.values()].includes(source),
    events,
    clock,
  });

  const tellAll = (message: ToWorker): void => {
    for (const post of posts) post.send(message);
  };

  const countMembers = (): void => {
    const now = members.size >= current.limits.connections;
    if (now !== full) tellAll({ type: "full", full: now });
    full = now;
  };

  const gone = (id: string, offence?: Extract<ToOwner, { type: "left" }>["offence"]): void => {
    const entry = clients.get(id);
    if (!entry) return;
    const { client, post } = entry;
    clients.delete(id);
    waiting.delete(client);
    post?.forget(id);
    strangers.left(client, offence);
    if (members.delete(id)) strangers.entered(client);
    countMembers();
  };

  const entered = (id: string): void => {
    const entry = clients.get(id);
    if (!entry) return;
    const { client, post } = entry;
    const { connections } = current.limits;
    if (members.size >= connections) {
      // Another has logged in at the same moment, at another worker.
      strangers.tooMany(client.source);
      post?.send({ type: "drop", id, reason: fullText(connections) });
      return;
    }
    members.set(id, client.source);
    strangers.entered(client);
    countMembers();
  };

  const receive = (message: ToOwner): void => {
    switch (message.type) {
      case "progress":
        for (const { id, progress, since } of message.guests) {
          const client = clients.get(id)?.client;
          if (client) Object.assign(client, { progress, since });
        }
        break;
      case "entered":
        entered(message.id);
        break;
      case "left":
        gone(message.id, message.offence);
        break;
      case "tooMany":
        strangers.tooMany(message.source);
        break;
      default:
        break;
    }
  };

  /** Those who wait go to the workers with the fewest clients. */
  const handOver = (): void => {
    for (const client of waiting) {
      const post = posts
        .filter(({ free }) => free)
        .reduce<Post | undefined>((least, one) => (least && least.load <= one.load ? least : one), undefined);
      const entry = clients.get(client.id);
      if (!post) return;
      waiting.delete(client);
      if (!entry) continue;
      entry.post = post;
      if (client.handle === undefined) gone(client.id);
      else post.hand(client);
    }
  };

  const again = (client: Client): void => {
    const entry = clients.get(client.id);
    if (!entry) return;
    entry.post = undefined;
    waiting.putBack(client);
    if (refusing === undefined) handOver();
    else end(client);
  };

  const end = (client: Client): void => {
    client.socket?.resetAndDestroy();
    gone(client.id);
  };

  const drop = (id: string, reason: string): void => {
    const entry = clients.get(id);
    if (entry?.post) entry.post.send({ type: "drop", id, reason });
    else if (entry) end(entry.client);
  };

  const accept = (socket: Socket): void => {
    // Before anything else: an error without a listener would end the process.
    socket.on("error", () => undefined);
    const arrival = arrivalOf(socket);
    if (arrival === undefined || refusing !== undefined) return void socket.destroy();
    const objection = strangers.objection(arrival.source);
    if (objection !== undefined) return void turnAway(socket, objection);
    // Whoever was dropped for it may be a worker's; here there is room only when one of those here goes.
    const worst = sockets.roomForClient ? undefined : waiting.worst;
    if (worst) end(worst);
    socket.once("close", sockets.take());
    const comer = comerOf(socket, arrival, clock.now());
    const client = new Client(comer, (reason) => drop(client.id, reason));
    clients.set(client.id, { client, post: undefined });
    waiting.add(client);
    strangers.arrived(client);
    handOver();
  };

  const listeners = createListeners({ accept, handOver: true, onError: reportTrouble(events, clock) });

  const posts: readonly Post[] = Array.from({ length: count }, () =>
    createPost({
      ...machines,
      program: PROGRAM,
      events,
      clock,
      begin: () => ({
        type: "begin",
        server: current.server,
        targets: current.addresses,
        serverSince,
        windowBytes: Math.floor(MOST_WINDOWS / count),
        full,
      }),
      onFree: handOver,
      onMissed: again,
      onMessage: receive,
      onLost(ids) {
        for (const id of ids) gone(id);
      },
      phase: () => (stopped.signal.aborted ? "closing" : refusing === undefined ? "serving" : "refusing"),
    }),
  );

  const warn = (): void => {
    for (const reason of current.warnings) events.emit({ type: "server.warning", reason });
  };

  const beat = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(BEAT_MS, stopped.signal);
      strangers.report();
      const overdue = clock.now() - current.limits.loginGraceMs;
      for (const client of waiting) if (client.comer.cameAt <= overdue) end(client);
    }
  };

  const refuseNew = (reason: string): void => {
    if (refusing !== undefined) return;
    refusing = reason;
    listeners.close();
    for (const post of posts) post.stop();
    for (const client of waiting) end(client);
    tellAll({ type: "refuse", reason });
  };

  const endAll = async (ms: number): Promise<void> => {
    stopped.abort("the end");
    tellAll({ type: "close" });
    await Promise.all(posts.map((post) => post.close(ms)));
    await listeners.closed();
  };

  const close = async (): Promise<void> => {
    refuseNew("the jump host is shutting down");
    await endAll(current.limits.closeMs + END_MS);
  };

  return {
    get connections() {
      return clients.size;
    },
    get listening() {
      return listeners.listening && posts.some(({ ready }) => ready);
    },
    async listen(given) {
      await wireReady;
      reportEngine(events);
      warn();
      const address = await listeners.listen(current.server.listen, given);
      try {
        await Promise.all(posts.map((post) => post.start()));
      } catch (error) {
        refuseNew("the workers could not be started");
        await endAll(0);
        throw new LazysshError(
          "INTERNAL",
          `the ${count} processes of server.workers could not be started: ${messageOf(error)}`,
          { cause: error },
        );
      }
      beat().catch(() => undefined);
      return address;
    },
    reload(server, targets) {
      current = read(server, targets);
      warn();
      tellAll({ type: "reload", server, targets: current.addresses });
      countMembers();
    },
    refuseNew,
    close: () => (closing ??= close()),
  };
}
