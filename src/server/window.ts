import { ProtocolError } from "./protocol.ts";

/** Most bytes of data in one packet, either way: what OpenSSH uses, and every client can take (RFC 4253 §6.1). */
export const PACKET = 32 * 1024;

/** By how many times its size a window that is filled grows: few round trips until it is as large as it may be. */
const GROWTH = 3;

/** RFC 4254 §5.2: a window never exceeds this. */
const LARGEST_WINDOW = 2 ** 32 - 1;

/** What the client may still send on a channel (RFC 4254 §5.2). */
export interface ReceiveWindow {
  /** The client has sent so much. @throws ProtocolError when it may not. */
  spend(length: number): void;
  /** So much of it is of no concern any more. Answers by how much the client's window is to be opened now; 0: not yet. */
  taken(length: number): number;
}

/**
 * A window that grows as long as the client fills it and the target empties it: over a distance, what is under way has to be more.
 *
 * @param first Bytes that the client may send before any are taken.
 * @param grow Asked for so many more; answers how many there are.
 */
export function createReceiveWindow(first: number, grow: (by: number) => number = () => 0): ReceiveWindow {
  let size = first;
  let left = first;
  let taken = 0;
  /** Taken since it has grown. */
  let passed = 0;
  return {
    spend(length) {
      if (length > left) throw new ProtocolError("the client sent more than its window");
      if (length > PACKET) throw new ProtocolError("the client sent a larger packet than was agreed on");
      left -= length;
    },
    taken(length) {
      taken += length;
      passed += length;
      // Often enough that the client never waits, seldom enough that it costs nothing.
      if (taken < size / 8) return 0;
      let grant = taken;
      if (passed >= size) {
        const more = grow(GROWTH * size);
        size += more;
        grant += more;
        passed = 0;
      }
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
