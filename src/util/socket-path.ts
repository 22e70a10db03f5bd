import { relative } from "node:path";

/**
 * The path of a unix socket as the system takes it. A socket's address holds 107 bytes on Linux, 103 elsewhere; from
 * where we stand the path may be shorter.
 *
 * @throws Error when it is too long either way.
 */
export function addressable(socket: string): string {
  if (Buffer.byteLength(socket) <= 103) return socket;
  const near = relative(process.cwd(), socket);
  if (Buffer.byteLength(near) <= 103) return near;
  throw new Error("the path is longer than the 90 bytes that leave room for a socket in it");
}
