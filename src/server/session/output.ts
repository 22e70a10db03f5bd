import type { Channel, ChannelHost, ClientSide } from "../channel.ts";
import { MSG, message } from "../protocol.ts";
import { PACKET, widened } from "../window.ts";

/** RFC 4254 §5.2: the one kind of extended data there is. */
const STDERR = 1;

/** What a session says, on its way to a client that may be slow: nothing is sent beyond its window (RFC 4254 §5.2). */
export interface Output {
  /** Lines, without the end of the last. What could move a cursor or turn the writing direction is taken out. */
  say(to: "out" | "err", lines: string): void;
  /** There may be room again. */
  resume(): void;
  /** The client takes so much more. @throws ProtocolError when that is too much. */
  widen(bytes: number): void;
  /** Nothing more will be said. Calls back when all has been sent. */
  finish(done: () => void): void;
  /** Drops what was not sent. */
  drop(): void;
}

export interface OutputOptions {
  readonly client: ClientSide;
  readonly host: ChannelHost;
  /** Whose turn is waited for when data must wait. */
  readonly channel: () => Channel;
  /** Whether the client's terminal passes on what it gets as it is: then a line ends with CR LF. */
  readonly raw: () => boolean;
}

export function createOutput({ client, host, channel, raw }: OutputOptions): Output {
  const queue: { readonly to: "out" | "err"; bytes: Buffer }[] = [];
  const packet = Math.min(client.maxPacket, PACKET);
  let { window } = client;
  let onSent: (() => void) | undefined;

  const send = (to: "out" | "err", piece: Buffer): void => {
    window -= piece.length;
    if (to === "out") host.wire.sendData(client.id, piece);
    else host.wire.send(message(MSG.CHANNEL_EXTENDED_DATA, client.id, STDERR, piece));
  };

  const pump = (): void => {
    for (let [first] = queue; first; [first] = queue) {
      if (host.congested()) {
        host.await(channel());
        return;
      }
      const piece = first.bytes.subarray(0, Math.min(window, packet));
      if (piece.length === 0) return;
      first.bytes = first.bytes.subarray(piece.length);
      if (first.bytes.length === 0) queue.shift();
      send(first.to, piece);
    }
    const done = onSent;
    onSent = undefined;
    done?.();
  };

  return {
    say(to, lines) {
      const clean = `${lines}\n`.replace(/(?!\n)[\p{C}\p{Zl}\p{Zp}]/gu, " ");
      const bytes = Buffer.from(raw() ? clean.replaceAll("\n", "\r\n") : clean);
      const last = queue.at(-1);
      if (last?.to === to) last.bytes = Buffer.concat([last.bytes, bytes]);
      else queue.push({ to, bytes });
      pump();
    },
    resume: pump,
    widen(bytes) {
      window = widened(window, bytes);
      pump();
    },
    finish(done) {
      onSent = done;
      pump();
    },
    drop() {
      queue.length = 0;
      onSent = undefined;
    },
  };
}
