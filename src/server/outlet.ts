import type { Socket } from "node:net";

/** Unsent bytes beyond which nothing more is read from a client: it asks, but does not listen to the answers. */
const MOST_UNSENT = 1024 * 1024;

/** The bytes on their way to a client, with the back-pressure of its TCP connection. */
export interface Outlet {
  /** Written in one go with what else is written in this turn of the event loop. */
  readonly write: (bytes: Uint8Array, done?: () => void) => void;
  /** Whether data should wait for `onDrain`. */
  full(): boolean;
  /** Stops reading from the client as long as it leaves too much unread. */
  holdBackReader(): void;
}

export function createOutlet(socket: Socket, { onDrain }: { readonly onDrain: () => void }): Outlet {
  let corked = false;
  const uncork = (): void => {
    corked = false;
    socket.uncork();
  };
  socket.on("drain", () => {
    if (socket.isPaused()) socket.resume();
    onDrain();
  });
  return {
    write(bytes, done) {
      if (!socket.writable) return;
      if (!corked) {
        corked = true;
        socket.cork();
        process.nextTick(uncork);
      }
      socket.write(bytes, done);
    },
    full: () => socket.writableNeedDrain,
    holdBackReader() {
      if (socket.writableLength > MOST_UNSENT) socket.pause();
    },
  };
}
