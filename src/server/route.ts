import { dial } from "../proxy/dial.ts";
import type { TargetSocket } from "../proxy/target-socket.ts";
import type { Lease, Targets, Tenant } from "../targets/lease.ts";
import type { Clock } from "../util/clock.ts";

export interface Destination {
  readonly target: string;
  readonly port: number;
}

export interface RouteOptions {
  readonly destination: Destination;
  readonly tenant: Tenant;
  readonly targets: Targets;
  readonly readBuffer: Uint8Array;
  readonly clock: Clock;
  readonly dialMs: number;
  /** The client has gone, or takes its request back. */
  readonly signal: AbortSignal;
}

/** A machine that is kept and a connection to it. Whoever has it ends both. */
export interface Route {
  readonly lease: Lease;
  readonly socket: TargetSocket;
}

/**
 * Starts the target's machine if need be, and connects to it.
 *
 * @throws LazysshError in words for the user, or the signal's reason; nothing is kept then.
 */
export async function openRoute(options: RouteOptions): Promise<Route> {
  const first = await tryRoute(options);
  if ("route" in first) return first.route;
  // A machine that has died since it was last looked at does not answer; its successor does.
  if (!first.gone || options.signal.aborted) throw first.error;
  const second = await tryRoute(options);
  if ("route" in second) return second.route;
  throw second.error;
}

type Tried = { readonly route: Route } | { readonly error: unknown; readonly gone: boolean };

async function tryRoute(options: RouteOptions): Promise<Tried> {
  const { destination, tenant, targets, readBuffer, clock, dialMs, signal } = options;
  const lease = await targets.acquire(destination.target, tenant, signal);
  const ends = [signal, lease.signal];
  try {
    const socket = await dial({
      ...destination,
      host: lease.host,
      port: lease.portMap.get(destination.port) ?? destination.port,
      readBuffer,
      clock,
      timeoutMs: dialMs,
      signals: ends,
    });
    const ended = ends.find(({ aborted }) => aborted);
    if (!ended) return { route: { lease, socket } };
    socket.destroy();
    throw ended.reason;
  } catch (error) {
    const gone = !signal.aborted && !(await lease.stillRuns());
    lease.release();
    return { error, gone };
  }
}
