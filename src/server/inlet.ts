import { Socket, type SocketConstructorOpts, type TcpNetConnectOpts } from "node:net";

/** Small, for it is there as long as the connection; who sends more than that gets more to send into. */
const SMALL = 4 * 1024;
const LARGE = 256 * 1024;
/** Reads of less than `SMALL` in a row after which the large buffer is given up. */
const QUIET = 64;

/** Called once, when views of what was read are of no use any more. */
export type Release = () => void;

/**
 * Takes what was read: a view of a buffer that is read into again when this returns, unless `hold` was called; then when all that it
 * answered have been called. True: views are kept for good.
 */
export type ReadHandler = (chunk: Buffer, hold: () => Release) => boolean;

interface Block {
  readonly bytes: Buffer;
  holds: number;
  lost: boolean;
}

/** Large blocks that are kept for the next time: one is being written while another is read into. */
const MOST_SPARE = 2;

/**
 * Reads a connection into buffers of its own, instead of one of 64 KiB for each read, which the garbage collector
 * would have to clear away: at the speed of a local network that takes more time than the ciphers do.
 *
 * A buffer belongs to one connection, and is not read into again while anybody keeps a view of it.
 *
 * @param accepted Nothing may be left in its own buffer. It lives on as long as what is returned, but does nothing.
 * @returns The same connection, reading.
 */
export function readInto(accepted: Socket, onRead: ReadHandler): Socket {
  let size = SMALL;
  let block = newBlock(size);
  let spare: Block[] = [];
  let quiet = 0;

  const next = (): Block => {
    if (block.holds === 0 && !block.lost && block.bytes.length === size) return block;
    if (size === SMALL) spare = [];
    return spare.pop() ?? newBlock(size);
  };

  const hold = (): Release => {
    const held = block;
    held.holds += 1;
    return () => {
      held.holds -= 1;
      if (held.holds > 0 || held === block || held.lost || held.bytes.length !== size) return;
      if (size === LARGE && spare.length < MOST_SPARE) spare.push(held);
    };
  };

  const options: SocketConstructorOpts & Pick<TcpNetConnectOpts, "onread"> & Internal = {
    handle: handleOf(accepted),
    highWaterMark: accepted.writableHighWaterMark,
    onread: {
      // Asked for after each read.
      buffer() {
        block = next();
        return block.bytes;
      },
      callback(length, read) {
        quiet = length < SMALL ? quiet + 1 : 0;
        if (length === block.bytes.length) size = LARGE;
        else if (quiet > QUIET) size = SMALL;
        if (onRead(read.subarray(0, length) as Buffer, hold)) block.lost = true;
        return true;
      },
    },
  };
  const socket = new Socket(options);
  socket.on("close", () => accepted.destroy());
  return socket;
}

function newBlock(size: number): Block {
  return { bytes: Buffer.allocUnsafeSlow(size), holds: 0, lost: false };
}

/** What Node's own servers pass to their sockets. */
interface Internal {
  readonly handle: unknown;
  readonly highWaterMark: number;
}

/** Takes the connection from a socket, which is left without. */
function handleOf(socket: Socket): unknown {
  const handle = socket._handle;
  socket._handle = null;
  // It is begun anew by the next owner.
  if (handle?.reading) handle.readStop();
  if (handle) handle.reading = false;
  return handle;
}
