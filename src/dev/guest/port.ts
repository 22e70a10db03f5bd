import { createServer, type Server, type Socket } from "node:net";

/** The SSH port of a guest, which can be closed and opened again while connections live on. */
export class Port {
  readonly #onSocket: (socket: Socket) => void;
  readonly #address: string;
  readonly #port: number;
  #server: Server | undefined;

  constructor(
    { address, port }: { readonly address: string; readonly port: number },
    onSocket: (socket: Socket) => void,
  ) {
    this.#onSocket = onSocket;
    this.#address = address;
    this.#port = port;
  }

  get isOpen(): boolean {
    return this.#server !== undefined;
  }

  /**
   * Listens, if it does not yet. A port that cannot be opened is thrown out of the event loop: a guest without its port is no machine, and
   * its end is what says so.
   */
  open(onListening: () => void): void {
    if (this.#server !== undefined) return;
    // Without noDelay from the first byte on, the handshake waits for delayed acknowledgements.
    this.#server = createServer({ noDelay: true }, this.#onSocket);
    this.#server.listen(this.#port, this.#address, onListening);
  }

  /** Stops listening; open connections go on. */
  close(): void {
    this.#server?.close();
    // The server is done only when its connections are; the next listener must not wait for them.
    this.#server = undefined;
  }
}
