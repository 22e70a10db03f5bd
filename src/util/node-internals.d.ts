/** What is used of Node's sockets below their public face: by who takes a connection out of one, or passes it to another process. */

import "node:net";

declare module "net" {
  /** Node's own part of a connection. */
  export interface SocketHandle {
    reading: boolean;
    readStop(): void;
  }

  interface Socket {
    /** Null when the socket is closed, or its connection was taken from it; undefined before it has one. */
    _handle?: SocketHandle | null;
  }
}

declare module "child_process" {
  import type { SocketHandle } from "node:net";

  interface ChildProcess {
    /** A connection goes with it without the socket around it, which Node passes on as it does its own. */
    send(
      message: Serializable,
      handle: SocketHandle | undefined,
      onSent: (error: Error | null) => void,
    ): boolean;
  }
}
