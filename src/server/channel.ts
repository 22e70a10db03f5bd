import { type ClientEnd, createTunnel, type Tunnel } from "../proxy/tunnel.ts";
import type { Clock } from "../util/clock.ts";
import { messageOf } from "../util/errors.ts";
import type { Release } from "./inlet.ts";
import { MSG, message, ProtocolError, type Reader } from "./protocol.ts";
import type { Route } from "./route.ts";
import { createReceiveWindow, PACKET, widened } from "./window.ts";
import type { Wire } from "./wire.ts";

/** What the client said when it asked for the channel (RFC 4254 §5.1). */
export interface ClientSide {
  /** The client's number of the channel. */
  readonly id: number;
  readonly window: number;
  readonly maxPacket: number;
}

/** The connection, as a channel sees it. */
export interface ChannelHost {
  readonly wire: Wire;
  /** Whether data must wait: keys are being exchanged, or the client's TCP connection is not draining. */
  congested(): boolean;
  /** Asks for a call of `resume` when it is this channel's turn again. */
  await(channel: Channel): void;
}

export interface ChannelOptions {
  readonly id: number;
  readonly client: ClientSide;
  /** Bytes the client may send before the target has taken them. */
  readonly window: number;
  /** The window is to grow by so many bytes; answers by how many it may. */
  readonly grow: (by: number) => number;
  readonly route: Route;
  readonly host: ChannelHost;
  readonly clock: Clock;
  /** See TunnelOptions. */
  readonly lingerMs: number;
  /** Our side is over: the machine has been given back, and CLOSE was sent if the client is still there. */
  readonly onEnd: (end: ChannelEnd) => void;
}

interface ChannelEnd {
  readonly reason: string;
  readonly bytesUp: number;
  readonly bytesDown: number;
}

/** One open channel: its windows, and its two ends (RFC 4254 §5.2, §5.3). */
export interface Channel {
  /** Takes a view that is good until `flush` returns. @throws ProtocolError when the client sends more than it may. */
  data(data: Buffer): void;
  /** Writes it. `hold` is asked when the views are needed for longer. */
  flush(hold: () => Release): void;
  /** Extended data means nothing here; it counts against the window and is dropped. */
  extendedData(length: number): void;
  eof(): void;
  /** RFC 4254 §5.4. @throws ProtocolError when a field is missing. */
  request(name: string, wantsReply: boolean, fields: Reader): void;
  adjust(bytes: number): void;
  /** There may be room again. */
  resume(): void;
  /** The client closed it: what it sent before is still delivered. Nothing more may be passed on of the client. */
  clientClosed(): void;
  /** Ends it because there is no client any more. Idempotent. */
  abandon(reason: string): void;
}

/** Tells a channel what a message says, after the channel's number. False when it means nothing. @throws ProtocolError */
export function passOn(type: number, channel: Channel, fields: Reader): boolean {
  switch (type) {
    case MSG.CHANNEL_DATA:
      channel.data(fields.string());
      return true;
    case MSG.CHANNEL_EXTENDED_DATA:
      fields.uint32();
      channel.extendedData(fields.string().length);
      return true;
    case MSG.CHANNEL_WINDOW_ADJUST:
      channel.adjust(fields.uint32());
      return true;
    case MSG.CHANNEL_EOF:
      channel.eof();
      return true;
    case MSG.CHANNEL_REQUEST:
      channel.request(fields.text(), fields.boolean(), fields);
      return true;
    default:
      return false;
  }
}

/** Confirms a `direct-tcpip` channel to the client, and begins. It holds the lease of its machine. */
export function openChannel(options: ChannelOptions): Channel {
  const { id, client, window, grow, route, host, clock, lingerMs, onEnd } = options;
  const { wire } = host;
  const { lease, socket } = route;
  /** What we may still send. */
  let sendWindow = client.window;
  const receive = createReceiveWindow(window, grow);
  let clientEof = false;
  let closedByClient = false;
  let ended = false;
  const packet = Math.min(client.maxPacket, PACKET);

  const end = (reason: string, tellClient: boolean): void => {
    if (ended) return;
    ended = true;
    lease.signal.removeEventListener("abort", onMachineGone);
    tunnel.destroy();
    lease.release();
    if (tellClient) wire.send(message(MSG.CHANNEL_CLOSE, client.id));
    onEnd({ reason, bytesUp: tunnel.bytesUp(), bytesDown: tunnel.bytesDown() });
  };

  const onMachineGone = (): void => end(messageOf(lease.signal.reason), true);

  const consumed = (bytes: number): void => {
    if (ended || clientEof) return;
    const grant = receive.taken(bytes);
    if (grant > 0) wire.send(message(MSG.CHANNEL_WINDOW_ADJUST, client.id, grant));
  };

  const clientEnd: ClientEnd = {
    room() {
      if (host.congested()) {
        host.await(channel);
        return 0;
      }
      return Math.min(sendWindow, packet);
    },
    send(data) {
      sendWindow -= data.length;
      wire.sendData(client.id, data);
    },
    sendEof: () => wire.send(message(MSG.CHANNEL_EOF, client.id)),
    taken: consumed,
    closed: (reason) => end(closedByClient ? "the client closed the channel" : reason, true),
  };

  const spend = (length: number): void => {
    receive.spend(length);
    if (clientEof) throw new ProtocolError("the client sent data after the end of its data");
  };

  const channel: Channel = {
    data(data) {
      if (ended) return;
      spend(data.length);
      if (data.length > 0) tunnel.fromClient(data);
    },
    flush: (hold) => tunnel.flush(hold),
    extendedData(length) {
      if (ended) return;
      spend(length);
      consumed(length);
    },
    eof() {
      if (clientEof || ended) return;
      clientEof = true;
      tunnel.eofFromClient();
    },
    // There is nothing to ask of a TCP connection.
    request(_, wantsReply) {
      if (wantsReply && !ended) wire.send(message(MSG.CHANNEL_FAILURE, client.id));
    },
    adjust(bytes) {
      if (ended) return;
      sendWindow = widened(sendWindow, bytes);
      tunnel.resume();
    },
    resume() {
      if (!ended) tunnel.resume();
    },
    clientClosed() {
      clientEof = true;
      closedByClient = true;
      tunnel.leave();
    },
    abandon: (reason) => end(reason, false),
  };

  wire.send(message(MSG.CHANNEL_OPEN_CONFIRMATION, client.id, id, window, PACKET));
  const tunnel: Tunnel = createTunnel({ socket, client: clientEnd, clock, lingerMs });
  lease.carries(() => ({ total: tunnel.bytesUp() + tunnel.bytesDown(), fromMachine: tunnel.bytesDown() }));
  if (lease.signal.aborted) onMachineGone();
  else lease.signal.addEventListener("abort", onMachineGone, { once: true });
  return channel;
}
