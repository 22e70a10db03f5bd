import { type ClientEnd, createTunnel, type Tunnel } from "../proxy/tunnel.ts";
import type { Clock } from "../util/clock.ts";
import { messageOf } from "../util/errors.ts";
import { MSG, message, ProtocolError } from "./protocol.ts";
import type { Route } from "./route.ts";
import type { Wire } from "./wire.ts";

/** Most bytes of data in one packet, either way: what OpenSSH uses, and every client can take (RFC 4253 §6.1). */
const PACKET = 32 * 1024;

/** RFC 4254 §5.2: a window never exceeds this. */
const LARGEST_WINDOW = 2 ** 32 - 1;

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
  readonly congested: boolean;
  /** Asks for a call of `resume` when it is this channel's turn again. */
  await(channel: Channel): void;
}

export interface ChannelOptions {
  readonly id: number;
  readonly client: ClientSide;
  /** Bytes the client may send before the target has taken them. */
  readonly window: number;
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

/** One open `direct-tcpip` channel: its windows, its two ends (RFC 4254 §5.2, §5.3), and the lease that it holds. */
export interface Channel {
  /** Takes a view that is good until `flush` returns. @throws ProtocolError when the client sends more than it may. */
  data(data: Buffer): void;
  /** Writes it. Whether the views are still needed. */
  flush(): boolean;
  /** Extended data means nothing to a TCP connection; it counts against the window and is dropped. */
  extendedData(length: number): void;
  eof(): void;
  /** There is nothing to ask of a TCP connection (RFC 4254 §5.4). */
  request(wantsReply: boolean): void;
  adjust(bytes: number): void;
  /** There may be room again. */
  resume(): void;
  /** The client closed it: what it sent before is still delivered. Nothing more may be passed on of the client. */
  clientClosed(): void;
  /** Ends it because there is no client any more. Idempotent. */
  abandon(reason: string): void;
}

/** Confirms the channel to the client, and begins. */
export function openChannel(options: ChannelOptions): Channel {
  const { id, client, window, route, host, clock, lingerMs, onEnd } = options;
  const { wire } = host;
  const { lease, socket } = route;
  /** What we may still send. */
  let sendWindow = client.window;
  /** What the client may still send, and what the target has taken since the client was last told. */
  let receiveWindow = window;
  let taken = 0;
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
    onEnd({ reason, bytesUp: tunnel.bytesUp, bytesDown: tunnel.bytesDown });
  };

  const onMachineGone = (): void => end(messageOf(lease.signal.reason), true);

  const consumed = (bytes: number): void => {
    taken += bytes;
    // Often enough that the client never waits, seldom enough that it costs nothing.
    if (ended || clientEof || taken < window / 8) return;
    wire.send(message(MSG.CHANNEL_WINDOW_ADJUST, client.id, taken));
    receiveWindow += taken;
    taken = 0;
  };

  const clientEnd: ClientEnd = {
    room() {
      if (host.congested) {
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
    if (length > receiveWindow) throw new ProtocolError("the client sent more than its window");
    if (length > PACKET) throw new ProtocolError("the client sent a larger packet than was agreed on");
    if (clientEof) throw new ProtocolError("the client sent data after the end of its data");
    receiveWindow -= length;
  };

  const channel: Channel = {
    data(data) {
      if (ended) return;
      spend(data.length);
      if (data.length > 0) tunnel.fromClient(data);
    },
    flush: () => tunnel.flush(),
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
    request(wantsReply) {
      if (wantsReply && !ended) wire.send(message(MSG.CHANNEL_FAILURE, client.id));
    },
    adjust(bytes) {
      if (ended) return;
      if (sendWindow + bytes > LARGEST_WINDOW)
        throw new ProtocolError("the client opened its window too far");
      sendWindow += bytes;
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
  lease.carries(() => ({ total: tunnel.bytesUp + tunnel.bytesDown, fromMachine: tunnel.bytesDown }));
  if (lease.signal.aborted) onMachineGone();
  else lease.signal.addEventListener("abort", onMachineGone, { once: true });
  return channel;
}
