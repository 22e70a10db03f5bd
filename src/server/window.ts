import { ProtocolError } from "./protocol.ts";

/** Most bytes of data in one packet, either way: what OpenSSH uses, and every client can take (RFC 4253 §6.1). */
export const PACKET = 32 * 1024;

/** RFC 4254 §5.2: a window never exceeds this. */
const LARGEST_WINDOW = 2 ** 32 - 1;

/** What the client may still send on a channel (RFC 4254 §5.2). */
export interface ReceiveWindow {
  /** The client has sent so much. @throws ProtocolError when it may not. */
  spend(length: number): void;
  /** So much of it is of no concern any more. Answers by how much the client's window is to be opened now; 0: not yet. */
  taken(length: number): number;
}

/** @param size Bytes that the client may send before any are taken. */
export function createReceiveWindow(size: number): ReceiveWindow {
  let left = size;
  let taken = 0;
  return {
    spend(length) {
      if (length > left) throw new ProtocolError("the client sent more than its window");
      if (length > PACKET) throw new ProtocolError("the client sent a larger packet than was agreed on");
      left -= length;
    },
    taken(length) {
      taken += length;
      // Often enough that the client never waits, seldom enough that it costs nothing.
      if (taken < size / 8) return 0;
      const grant = taken;
      left += grant;
      taken = 0;
      return grant;
    },
  };
}

/** What we may still send, after the client has allowed so much more. @throws ProtocolError when that is too much. */
export function widened(window: number, bytes: number): number {
  if (window + bytes > LARGEST_WINDOW) throw new ProtocolError("the client opened its window too far");
  return window + bytes;
}
