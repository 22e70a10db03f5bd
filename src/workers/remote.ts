import type { Controls, Dropped, TargetStatus, VolumeStatus } from "../targets/by-hand.ts";
import { createCatalog } from "../targets/catalog.ts";
import type { Lease, Stage, Targets, Traffic } from "../targets/lease.ts";
import type { Clock } from "../util/clock.ts";
import {
  type Address,
  type Call,
  errorFromWire,
  errorToWire,
  type ToOwner,
  type ToWorker,
  tenantToWire,
  type WireError,
} from "./messages.ts";

export interface RemoteOptions {
  readonly addresses: readonly Address[];
  readonly send: (message: ToOwner) => void;
  readonly clock: Clock;
}

/** The machines of the owner, as a worker has them. */
export interface Remote {
  readonly targets: Targets;
  readonly controls: Controls;
  /** What is about calls and leases. */
  receive(message: ToWorker): void;
  redefine(addresses: readonly Address[]): void;
}

/** The owner's watch asks whether bytes have moved within 10 s. */
const TRAFFIC_MS = 1_000;

interface Pending {
  readonly done: (value: unknown) => void;
  readonly failed: (error: unknown) => void;
  readonly told: ((stage: Stage) => void) | undefined;
}

/** What is told of a machine that was got. */
type Where = Pick<Lease, "host" | "portMap">;

interface Held {
  readonly taken: AbortController;
  traffic: (() => Traffic) | undefined;
  reported: number;
}

interface Waiting {
  readonly signal?: AbortSignal;
  readonly told?: ((stage: Stage) => void) | undefined;
}

export function createRemote({ addresses, send, clock }: RemoteOptions): Remote {
  let catalog = catalogOf(addresses);
  let last = 0;
  let reporting = false;
  const pending = new Map<number, Pending>();
  const leases = new Map<number, Held>();

  /** `made` has the answer before anything else comes from the owner. */
  const ask = <T>(
    call: Call,
    { signal, told }: Waiting = {},
    made: (value: unknown, id: number) => T = (value) => value as T,
  ): Promise<T> => {
    last += 1;
    const id = last;
    return new Promise<T>((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const takeBack = (): void => {
        pending.delete(id);
        send({ type: "leave", call: id, error: errorToWire(signal?.reason), traffic: undefined });
        reject(signal?.reason);
      };
      const settle = (): void => {
        pending.delete(id);
        signal?.removeEventListener("abort", takeBack);
      };
      signal?.addEventListener("abort", takeBack, { once: true });
      pending.set(id, {
        told,
        done(value) {
          settle();
          resolve(made(value, id));
        },
        failed(error) {
          settle();
          reject(error);
        },
      });
      send({ type: "call", call: id, ...call });
    });
  };

  const report = async (): Promise<void> => {
    reporting = true;
    while (leases.size > 0) {
      await clock.sleep(TRAFFIC_MS);
      const moved = [...leases].flatMap(([call, held]) => {
        const traffic = held.traffic?.();
        if (!traffic || traffic.total === held.reported) return [];
        held.reported = traffic.total;
        return [{ call, traffic }];
      });
      if (moved.length > 0) send({ type: "traffic", leases: moved });
    }
    reporting = false;
  };

  const leaseOf = (where: Where, id: number): Lease => {
    const held: Held = { taken: new AbortController(), traffic: undefined, reported: 0 };
    leases.set(id, held);
    if (!reporting) void report();
    const release = (): void => {
      if (!leases.delete(id)) return;
      send({ type: "leave", call: id, error: undefined, traffic: held.traffic?.() });
    };
    return {
      ...where,
      signal: held.taken.signal,
      release,
      carries(traffic) {
        held.traffic = traffic;
      },
      stillRuns: () => ask<boolean>({ what: "stillRuns", lease: id }),
      [Symbol.asyncDispose]: async () => release(),
    };
  };

  const lose = (call: number, error: WireError): void => {
    const held = leases.get(call);
    leases.delete(call);
    held?.taken.abort(errorFromWire(error));
  };

  return {
    targets: {
      get names() {
        return catalog.names;
      },
      familyOf(name) {
        const family = catalog.find(name)?.family;
        return family === name ? undefined : family;
      },
      portsOf: (name) => catalog.find(name)?.target.ports,
      acquire: (target, tenant, signal) =>
        ask(
          { what: "acquire", target, tenant: tenantToWire(tenant) },
          { signal, told: tenant.told },
          (where, id) => leaseOf(where as Where, id),
        ),
    },
    controls: {
      status: () => ask<readonly TargetStatus[]>({ what: "status" }),
      hold: (target, { forMs, lift, signal, by }) =>
        ask<void>(
          { what: "hold", target, forMs, lift, by: by && tenantToWire(by) },
          { signal, told: by?.told },
        ),
      drop: (target, { cut }) => ask<Dropped>({ what: "drop", target, cut }),
      volumes: (target, signal) => ask<readonly VolumeStatus[]>({ what: "volumes", target }, { signal }),
    },
    receive(message) {
      switch (message.type) {
        case "told":
          pending.get(message.call)?.told?.(message.stage);
          break;
        case "done":
          pending.get(message.call)?.done(message.value);
          break;
        case "failed":
          pending.get(message.call)?.failed(errorFromWire(message.error));
          break;
        case "taken":
          lose(message.call, message.error);
          break;
        default:
          break;
      }
    },
    redefine(next) {
      catalog = catalogOf(next);
    },
  };
}

/** Where connections go is the owner's to say. */
function catalogOf(addresses: readonly Address[]): ReturnType<typeof createCatalog> {
  return createCatalog(addresses.map((address) => ({ ...address, type: "forward", to: "" })));
}
