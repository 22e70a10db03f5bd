import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { sourceOf } from "./gate.ts";
import type { Comer } from "./lobby.ts";

/** Where a connection comes from. */
export interface Arrival {
  /** IP address, without port or brackets. */
  readonly address: string;
  /** See {@link sourceOf}. */
  readonly source: string;
}

/** Undefined: it has gone already. */
export function arrivalOf({ remoteAddress }: Socket): Arrival | undefined {
  const address = remoteAddress?.replace(/^::ffff:/, "");
  return address === undefined ? undefined : { address, source: sourceOf(address) };
}

/** One who is let in, under an id of its own. */
export function comerOf(socket: Socket, { address, source }: Arrival, cameAt: number): Comer {
  const client = `${address.includes(":") ? `[${address}]` : address}:${socket.remotePort ?? 0}`;
  const tenant = { connection: randomBytes(4).toString("hex"), client };
  return { socket, tenant, address, source, cameAt };
}
