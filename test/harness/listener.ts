import { type AddressInfo, createServer } from "node:net";

declare module "node:net" {
  interface Server {
    /** Node's own part of a listening socket. */
    _handle?: { readonly fd: number } | null;
  }
}

export interface Listener {
  readonly fd: number;
  readonly port: number;
  /** Here; what has the descriptor still has the socket. */
  close(): void;
}

/** A listening socket, for another process to accept from. */
export async function listening(host: string): Promise<Listener> {
  const server = createServer();
  await new Promise<void>((up) => server.listen(0, host, up));
  const fd = server._handle?.fd;
  if (fd === undefined) throw new Error("a socket that listens has no descriptor");
  return { fd, port: (server.address() as AddressInfo).port, close: () => void server.close() };
}
