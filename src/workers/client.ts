import type { Socket, SocketHandle } from "node:net";
import type { Comer, Guest, Progress } from "../server/index.ts";
import type { WireComer } from "./messages.ts";

/** Nothing has been heard of it. */
const SILENT: Progress = 0;

/** A client as the owner of machines has it: a socket that no worker has yet, or what its worker tells of it. */
export class Client implements Guest {
  readonly id: string;
  readonly source: string;
  /** For the worker. */
  readonly comer: WireComer;
  /** Undefined: it is a worker's alone. */
  socket: Socket | undefined;
  progress: Progress = SILENT;
  since: number;
  /** How to drop it, as things are now. */
  onDrop: (reason: string) => void;

  constructor({ socket, ...comer }: Comer, onDrop: (reason: string) => void) {
    this.id = comer.tenant.connection;
    this.source = comer.source;
    this.comer = comer;
    this.socket = socket;
    this.since = comer.cameAt;
    this.onDrop = onDrop;
  }

  drop(reason: string): void {
    this.onDrop(reason);
  }

  /** The connection itself, as Node passes it to another process; undefined when it is closed. */
  get handle(): SocketHandle | undefined {
    return this.socket?._handle ?? undefined;
  }
}
