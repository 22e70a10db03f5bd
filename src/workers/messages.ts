import type { ServerConfig, TargetConfig } from "../config/index.ts";
import type { LazysshEvent } from "../observe/index.ts";
import type { Comer, Offence, Progress } from "../server/index.ts";
import type { Stage, TargetReach, Tenant, TenantUser, Traffic } from "../targets/lease.ts";
import { asLazysshError, type ErrorCode, LazysshError } from "../util/errors.ts";

/** What the owner of machines and its workers tell each other. It is copied as `structuredClone` does it: no functions, no classes. */

export type ToWorker =
  /** The first message. */
  | {
      readonly type: "begin";
      readonly server: ServerConfig;
      readonly targets: readonly Address[];
      readonly serverSince: number;
      /** Bytes that all its clients together may send before targets have taken them. */
      readonly windowBytes: number;
      readonly full: boolean;
    }
  /** With its connection. */
  | { readonly type: "client"; readonly comer: WireComer }
  /** After that: should the connection not have come with it, the worker has missed it. */
  | { readonly type: "handed"; readonly id: string }
  | { readonly type: "reload"; readonly server: ServerConfig; readonly targets: readonly Address[] }
  /** Whether nobody else may log in, here or at another worker. */
  | { readonly type: "full"; readonly full: boolean }
  /** One has to go for another, or because there are too many. */
  | { readonly type: "drop"; readonly id: string; readonly reason: string }
  | { readonly type: "refuse"; readonly reason: string }
  | { readonly type: "close" }
  /** Answered with `pong`, by one that works. */
  | { readonly type: "ping" }
  | { readonly type: "told"; readonly call: number; readonly stage: Stage }
  | { readonly type: "done"; readonly call: number; readonly value: unknown }
  | { readonly type: "failed"; readonly call: number; readonly error: WireError }
  /** The machine of a lease, named by the call that it was got with, is taken away. */
  | { readonly type: "taken"; readonly call: number; readonly error: WireError };

export type ToOwner =
  | { readonly type: "ready" }
  | { readonly type: "unable"; readonly error: WireError }
  | { readonly type: "pong" }
  | { readonly type: "got" | "missed"; readonly id: string }
  /** Whether it has file descriptors for more clients. */
  | { readonly type: "room"; readonly room: boolean }
  | { readonly type: "event"; readonly event: LazysshEvent }
  | { readonly type: "progress"; readonly guests: readonly GuestProgress[] }
  /** Has logged in. */
  | { readonly type: "entered"; readonly id: string }
  | { readonly type: "left"; readonly id: string; readonly offence: Offence | undefined }
  | { readonly type: "tooMany"; readonly source: string }
  | ({ readonly type: "call"; readonly call: number } & Call)
  /** Takes a call back, or gives back the lease that it got, which has carried so much. */
  | {
      readonly type: "leave";
      readonly call: number;
      readonly error: WireError | undefined;
      readonly traffic: Traffic | undefined;
    }
  | {
      readonly type: "traffic";
      readonly leases: readonly { readonly call: number; readonly traffic: Traffic }[];
    };

/** What a worker asks for. Each is answered with `done` or `failed`, unless it is taken back. */
export type Call =
  | { readonly what: "acquire"; readonly target: string; readonly tenant: WireTenant }
  /** Of a lease. */
  | { readonly what: "stillRuns"; readonly lease: number }
  | { readonly what: "status" }
  | {
      readonly what: "hold";
      readonly target: string;
      readonly forMs: number | undefined;
      readonly lift: boolean;
      readonly by: WireTenant | undefined;
    }
  | { readonly what: "drop"; readonly target: string; readonly cut: boolean }
  | { readonly what: "volumes"; readonly target: string };

export type WireComer = Omit<Comer, "socket">;

export interface GuestProgress {
  readonly id: string;
  readonly progress: Progress;
  readonly since: number;
}

/** What a worker has to know of a target: none of its secrets. */
export type Address = Pick<TargetConfig, "name" | "ports">;

export function addressesOf(targets: readonly TargetConfig[]): Address[] {
  return targets.map(({ name, ports }) => ({ name, ports }));
}

export interface WireTenant extends Omit<Tenant, "user" | "told"> {
  readonly user: WireUser | undefined;
  /** Whether it wants to be told how far the start has come. */
  readonly listens: boolean;
}

type WireUser = Pick<TenantUser, "name" | "maxMachines"> & { readonly reach: TargetReach };

const NOTHING: TargetReach = { targets: [], permitOpen: [] };

export function tenantToWire({ user, told, ...rest }: Tenant): WireTenant {
  const reach = user?.reach ?? NOTHING;
  return {
    ...rest,
    user: user && { name: user.name, maxMachines: user.maxMachines, reach },
    listens: told !== undefined,
  };
}

export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
}

export function errorToWire(cause: unknown): WireError {
  const { code, message, retryable } = asLazysshError(cause);
  return { code, message, retryable };
}

export function errorFromWire({ code, message, retryable }: WireError): LazysshError {
  return new LazysshError(code, message, { retryable });
}
