import type { EventStream } from "../observe/events.ts";
import type { Controls } from "../targets/by-hand.ts";
import type { Tenant } from "../targets/lease.ts";
import type { Clock } from "../util/clock.ts";
import { LazysshError } from "../util/errors.ts";
import { type Admission, objectionToChannel, objectionToTunnel } from "./admission.ts";
import { type Channel, type ChannelHost, type ClientSide, openChannel, passOn } from "./channel.ts";
import { whoIs } from "./identity.ts";
import type { Release } from "./inlet.ts";
import { MSG, message, OPEN_FAILURE, ProtocolError, Reader } from "./protocol.ts";
import { printable, type Refusal, refusal, refusalOf } from "./refusal.ts";
import { type Destination, openRoute } from "./route.ts";
import { beginSession, sessionRefusal } from "./session/begin.ts";
import { createWindowBudget } from "./window-budget.ts";
import type { Wire } from "./wire.ts";

export interface ChannelsOptions extends Admission {
  readonly wire: Wire;
  readonly tenant: Tenant;
  readonly controls: Controls;
  /** Since when the server serves, milliseconds since the epoch. */
  readonly serverSince: number;
  readonly events: EventStream;
  readonly clock: Clock;
  /** Whether the client's TCP connection takes no more for now. */
  readonly congested: () => boolean;
  /** A channel has its machine, or will get none. */
  readonly onRouted: () => void;
}

/** The channels of one connection (RFC 4254 §5), after its login. */
export interface Channels {
  /** So far: channels that were opened, and the bytes of those that have ended, from the client and to it. */
  readonly sums: { readonly opened: number; readonly bytesUp: number; readonly bytesDown: number };
  /** From now on sessions are refused, as the client wants it. */
  refuseSessions(): void;
  /** A message about channels. @throws ProtocolError */
  message(payload: Buffer): void;
  /** Writes what came since the last time. `hold` is asked when views of it are needed afterwards. */
  flush(hold: () => Release): void;
  /** Data may flow again: those that waited go on, in turn. */
  resume(): void;
  /** The client has gone: everything is dropped and every machine given back. */
  abandon(reason: string): void;
}

/**
 * Where a channel stands. One that the client left still delivers what the client sent, one that is closed waits for
 * the client to close it too (RFC 4254 §5.3).
 */
type Slot =
  | { readonly state: "opening"; readonly abort: AbortController }
  | { readonly state: "open"; readonly channel: Channel }
  | { readonly state: "left"; readonly channel: Channel }
  | { readonly state: "closed" };

/** One for all targets: what is read is copied, encrypted or not, before anything else is read. */
const readBuffer = new Uint8Array(64 * 1024);

/** Commands are told little, and what they are told is thrown away. */
const SESSION_WINDOW = 256 * 1024;

/** What a client may send before it is taken, on all of its channels. */
const CONNECTION_WINDOWS = 24 * 1024 * 1024;

export function createChannels(options: ChannelsOptions): Channels {
  const { wire, tenant, targets, events, clock, limits } = options;
  const { connection, client: from } = tenant;
  const who = { connection, client: from, ...whoIs(options.identity) };
  const sums = { opened: 0, bytesUp: 0, bytesDown: 0 };
  const slots = new Map<number, Slot>();
  const waiting = new Set<Channel>();
  /** Those that have data to be flushed. */
  const fresh = new Set<Channel>();
  const windows = createWindowBudget(CONNECTION_WINDOWS, { whole: options.windows });
  /** Why there will be no more sessions. */
  let sessionsOver: Refusal | undefined;

  const host: ChannelHost = {
    wire,
    congested: () => wire.busy() || options.congested(),
    await: (channel) => waiting.add(channel),
  };

  const refuse = (client: ClientSide, { reason, text }: Refusal): void =>
    wire.send(message(MSG.CHANNEL_OPEN_FAILURE, client.id, reason, text, ""));

  const freeId = (): number => {
    for (let id = 0; ; id++) if (!slots.has(id)) return id;
  };

  /** Our side of it is. */
  const closed = (id: number, channel: Channel): void => {
    waiting.delete(channel);
    if (slots.get(id)?.state === "left") slots.delete(id);
    else slots.set(id, { state: "closed" });
  };

  const open = async (id: number, client: ClientSide, destination: Destination): Promise<void> => {
    const family = targets.familyOf(destination.target);
    const subject = { ...who, channel: id, ...destination, ...(family !== undefined && { family }) };
    const abort = new AbortController();
    const giveSocketBack = options.sockets.take();
    let window = 0;
    slots.set(id, { state: "opening", abort });
    try {
      const route = await openRoute({
        destination,
        tenant,
        targets,
        readBuffer,
        clock,
        dialMs: limits.dialMs,
        signal: abort.signal,
      });
      options.onRouted();
      const since = clock.now();
      events.emit({ type: "channel.open", ...subject });
      sums.opened += 1;
      window = windows.take(limits.window);
      const channel = openChannel({
        id,
        client,
        window,
        grow(by) {
          const more = windows.more(Math.min(by, limits.window - window));
          window += more;
          return more;
        },
        route,
        host,
        clock,
        lingerMs: limits.closeMs,
        onEnd(end) {
          giveSocketBack();
          windows.give(window);
          closed(id, channel);
          sums.bytesUp += end.bytesUp;
          sums.bytesDown += end.bytesDown;
          events.emit({ type: "channel.close", ...subject, ...end, seconds: (clock.now() - since) / 1000 });
        },
      });
      slots.set(id, { state: "open", channel });
    } catch (error) {
      giveSocketBack();
      slots.delete(id);
      options.onRouted();
      const refused = refusalOf(error);
      events.emit({ type: "channel.refused", ...subject, code: refused.code, reason: refused.text });
      if (!abort.signal.aborted) refuse(client, refused);
    }
  };

  /** An open request is refused before anything was done for it. */
  const onRefused = (client: ClientSide, refused: Refusal, destination: Destination | undefined): void => {
    const { code, text: reason } = refused;
    const subject = { ...who, channel: client.id, code, reason };
    if (!destination) events.emit({ type: "session.refused", ...subject });
    else
      events.emit({
        type: "channel.refused",
        ...subject,
        target: printable(destination.target),
        port: destination.port,
      });
    refuse(client, refused);
  };

  const onSession = (client: ClientSide): void => {
    const refused =
      sessionsOver ?? sessionRefusal(options.identity) ?? objectionToChannel(client, slots.size, options);
    if (refused) {
      onRefused(client, refused, undefined);
      return;
    }
    const id = freeId();
    const onEnd = (channel: Channel) => closed(id, channel);
    const channel = beginSession({
      ...options,
      id,
      client,
      window: Math.min(SESSION_WINDOW, limits.window),
      host,
      onEnd,
    });
    slots.set(id, { state: "open", channel });
  };

  const onOpen = (fields: Reader): void => {
    const kind = fields.text();
    const client: ClientSide = { id: fields.uint32(), window: fields.uint32(), maxPacket: fields.uint32() };
    if (kind === "session") {
      onSession(client);
      return;
    }
    if (kind !== "direct-tcpip") {
      refuse(client, notATunnel(kind));
      return;
    }
    const destination = { target: fields.text(), port: fields.uint32() };
    const refused =
      objectionToChannel(client, slots.size, options) ?? objectionToTunnel(destination, options);
    if (!refused) {
      void open(freeId(), client, destination);
      return;
    }
    onRefused(client, refused, destination);
  };

  const onClose = (id: number, slot: Slot): void => {
    if (slot.state !== "open") {
      slots.delete(id);
      return;
    }
    slots.set(id, { state: "left", channel: slot.channel });
    slot.channel.clientClosed();
  };

  return {
    sums,

    refuseSessions() {
      sessionsOver = refusal("NOT_PERMITTED", "the client has said that it needs no more sessions");
    },

    message(payload) {
      const type = payload[0] ?? 0;
      const fields = new Reader(payload, 1);
      if (type === MSG.CHANNEL_OPEN) {
        onOpen(fields);
        return;
      }
      const id = fields.uint32();
      const slot = slots.get(id);
      if (!slot || slot.state === "opening" || slot.state === "left")
        throw new ProtocolError(`there is no channel ${id}`);
      if (type === MSG.CHANNEL_CLOSE) onClose(id, slot);
      // What was under way when we closed the channel is of no interest.
      else if (slot.state === "open") {
        if (type === MSG.CHANNEL_DATA) fresh.add(slot.channel);
        if (!passOn(type, slot.channel, fields)) wire.unimplemented();
      }
    },

    flush(hold) {
      for (const channel of fresh) channel.flush(hold);
      fresh.clear();
    },

    resume() {
      for (const channel of [...waiting]) {
        if (host.congested()) return;
        waiting.delete(channel);
        channel.resume();
      }
    },

    abandon(reason) {
      for (const slot of slots.values()) {
        if (slot.state === "opening") slot.abort.abort(new LazysshError("BOOT_CANCELLED", reason));
        if (slot.state === "open" || slot.state === "left") slot.channel.abandon(reason);
      }
      slots.clear();
    },
  };
}

function notATunnel(kind: string): Refusal {
  const text = `this is a jump host: it opens no channels of type "${printable(kind, 64)}"`;
  return refusal("NOT_PERMITTED", text, OPEN_FAILURE.UNKNOWN_CHANNEL_TYPE);
}
