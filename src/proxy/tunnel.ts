import type { Clock } from "../util/clock.ts";
import { type Deadline, deadline } from "../util/deadline.ts";
import type { TargetSocket } from "./target-socket.ts";
import { createUpload } from "./upload.ts";

/** The client's end of a tunnel, as the tunnel sees it. */
export interface ClientEnd {
  /** Bytes that may be sent now. When it is 0 the tunnel stops reading its target until `resume`. */
  room(): number;
  /** Sends at most `room()` bytes, which are copied. */
  send(data: Uint8Array): void;
  /** The target will send no more. */
  sendEof(): void;
  /** The target has taken so many bytes of what came through `fromClient`. */
  taken(bytes: number): void;
  /** The last thing heard of a tunnel: all was delivered, or there is nobody left to deliver to. Not after `destroy`. */
  closed(reason: string): void;
}

/** Bytes between a client and a target, each direction ending on its own. */
export interface Tunnel {
  /** From the client to the target. */
  bytesUp(): number;
  /** From the target to the client. */
  bytesDown(): number;
  /** Takes a view of `data`, which is needed until `flush` returns. */
  fromClient(data: Buffer): void;
  /** Writes what came from the client since the last time. `hold` is asked when the views are needed for longer: see Upload. */
  flush(hold: () => () => void): void;
  /** The client will send no more; what it sent is still delivered. */
  eofFromClient(): void;
  /** There may be room again. */
  resume(): void;
  /**
   * The client wants nothing more: what it sent is still delivered, what the target sends is dropped, and then the
   * tunnel is closed. A client may say so right after its last byte.
   */
  leave(): void;
  /** Drops the target and everything under way. Idempotent. */
  destroy(): void;
}

const NOTHING = new Uint8Array(0);

export interface TunnelOptions {
  /** Connected and paused. */
  readonly socket: TargetSocket;
  readonly client: ClientEnd;
  readonly clock: Clock;
  /**
   * How long a target that was told of the end may go on sending to a client that has left. Closing at once would
   * reset the connection, which can cost the target the last of what it was sent.
   */
  readonly lingerMs: number;
}

/** Joins the two ends and begins to read the target. */
export function createTunnel({ socket, client, clock, lingerMs }: TunnelOptions): Tunnel {
  let bytesUp = 0;
  let bytesDown = 0;
  /** What was read but had no room; reading stands still while there is any. */
  let pending: Uint8Array = NOTHING;
  let targetEnded = false;
  let eofSent = false;
  let failure: Error | undefined;
  let gone = false;
  let leaving = false;
  let over = false;
  let linger: Deadline | undefined;
  const upload = createUpload(socket, (bytes) => {
    bytesUp += bytes;
    if (!over) client.taken(bytes);
  });

  /** Sends what there is room for and returns the rest. */
  const send = (data: Uint8Array): Uint8Array => {
    let rest = data;
    while (rest.length > 0) {
      const room = client.room();
      if (room <= 0) break;
      const piece = rest.subarray(0, room);
      client.send(piece);
      bytesDown += piece.length;
      rest = rest.subarray(piece.length);
    }
    return rest;
  };

  /** Passes on the end of the target once all before it has been. */
  const settle = (): void => {
    if (over || pending.length > 0) return;
    if (targetEnded && !eofSent && !leaving) {
      eofSent = true;
      client.sendEof();
    }
    if (!gone) return;
    over = true;
    linger?.[Symbol.dispose]();
    client.closed(failure ? `the target broke the connection (${failure.message})` : "done");
  };

  socket.onRead = (data) => {
    const rest = over || leaving ? NOTHING : send(data);
    if (rest.length === 0) return true;
    // A copy: the buffer belongs to the next read.
    pending = Buffer.from(rest);
    return false;
  };
  socket.onWriteFailure = (error) => {
    failure ??= error;
    if (targetEnded) socket.destroy();
  };
  socket.on("error", (error) => {
    failure ??= error;
  });
  socket.once("end", () => {
    targetEnded = true;
    // Nobody is left to write to: the client's side has nothing more to wait for.
    if (socket.writeFailure) socket.destroy();
    settle();
  });
  socket.once("close", () => {
    gone = true;
    settle();
  });
  const closeSoon = (): void => {
    if (!leaving || over || !socket.writableFinished || linger) return;
    linger = deadline(clock, lingerMs, () => undefined);
    linger.signal.addEventListener("abort", () => socket.destroy());
  };
  socket.once("finish", closeSoon);
  socket.resume();

  return {
    bytesUp: () => bytesUp,
    bytesDown: () => bytesDown,
    fromClient(data) {
      // A target that takes no more may still be sending: its client must not be held up meanwhile.
      if (gone || socket.writeFailure) client.taken(data.length);
      else upload.write(data);
    },
    flush: (hold) => upload.flush(hold),
    eofFromClient: () => upload.end(),
    resume() {
      if (over || pending.length === 0) return;
      pending = send(pending);
      if (pending.length > 0) return;
      settle();
      socket.resume();
    },
    leave() {
      leaving = true;
      pending = NOTHING;
      upload.end();
      // A target that waits for its own output to be read would not read its input either.
      socket.resume();
      closeSoon();
      settle();
    },
    destroy() {
      over = true;
      pending = NOTHING;
      linger?.[Symbol.dispose]();
      socket.destroy();
    },
  };
}
