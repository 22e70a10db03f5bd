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
