import type { LazysshError } from "../../util/errors.ts";

/**
 * One machine as a value. `transition` (transition.ts) is the only thing that makes a new one of it;
 * the driver (machine.ts) is the only thing that acts on its effects.
 */
export interface MachineModel {
  readonly state: MachineState;
  /** Everyone who needs the machine: the count is derived from here and kept nowhere else. */
  readonly leases: ReadonlyMap<LeaseId, LeaseStatus>;
  /** Starts so far. The number of a launch guards against results that arrive too late. */
  readonly launches: number;
  /** Failed starts in a row; decides how long the next one is held back. */
  readonly failures: number;
  /** Set once, when the program ends: why nothing is started any more. */
  readonly closed: LazysshError | undefined;
}

export type LeaseId = number;
/** `waiting` has no answer yet; `held` has been granted. */
export type LeaseStatus = "waiting" | "held";

export type MachineState =
  | { readonly kind: "absent" }
  /** Waiting for the persistent volumes to be free. Nothing exists in the cloud yet. */
  | { readonly kind: "preparing"; readonly launch: number }
  /** The order is under way: a machine may exist, its id is not known. */
  | { readonly kind: "launching"; readonly launch: number }
  | { readonly kind: "booting"; readonly launch: number; readonly machine: string }
  | { readonly kind: "attaching"; readonly launch: number; readonly machine: string }
  | { readonly kind: "probing"; readonly launch: number; readonly machine: string }
  | {
      readonly kind: "ready";
      readonly launch: number;
      readonly machine: string;
      readonly host: string;
      /** Why nobody new is let to it: the cloud will take it away, or its port does not answer. Who comes waits. */
      readonly unfit: LazysshError | undefined;
    }
  | {
      readonly kind: "lingering";
      readonly launch: number;
      readonly machine: string;
      readonly host: string;
      /** Milliseconds since the epoch. */
      readonly until: number;
    }
  /** Being ended, until the cloud has shown it gone and its volumes free. */
  | {
      readonly kind: "stopping";
      readonly launch: number;
      /** Undefined while only the launch token is known. */
      readonly machine: string | undefined;
      /** The order has not answered yet: what it brings is still to be ended. */
      readonly ordering: boolean;
      /** Its start failed. */
      readonly failed: boolean;
      readonly error: LazysshError | undefined;
    }
  /** The last start failed; the next one waits until `retryAt` (milliseconds since the epoch). */
  | { readonly kind: "failed"; readonly error: LazysshError; readonly retryAt: number };

/** What happened. `at` is the time it happened, in milliseconds since the epoch. */
export type MachineEvent = { readonly at: number } & (
  | { readonly type: "acquire"; readonly lease: LeaseId }
  | { readonly type: "release"; readonly lease: LeaseId }
  | { readonly type: "prepared"; readonly launch: number }
  /** Instead of an order: a machine of the target is there already, at rest or started by another server of the group. */
  | { readonly type: "joined"; readonly launch: number; readonly machine: string }
  /**
   * The machine that was joined, or that the order named, has gone or is not free to be used, or another one is wanted before anything was
   * ordered: another look is taken.
   */
  | { readonly type: "missed"; readonly launch: number }
  | { readonly type: "created"; readonly launch: number; readonly machine: string }
  | { readonly type: "booted"; readonly launch: number }
  | { readonly type: "attached"; readonly launch: number }
  | { readonly type: "answering"; readonly launch: number; readonly host: string }
  /** A step of the start failed for good. `exists`: could the order have made a machine all the same? */
  | {
      readonly type: "failed";
      readonly launch: number;
      readonly error: LazysshError;
      readonly exists: "no" | "maybe";
    }
  /** The time for the start is up while the order is still under way. */
  | { readonly type: "overdue"; readonly launch: number; readonly error: LazysshError }
  | { readonly type: "lingered"; readonly launch: number }
  /** A machine that is ready is about to be taken away by the cloud, or its port does not answer. */
  | { readonly type: "unfit"; readonly launch: number; readonly error: LazysshError }
  /** Its port answers again. */
  | { readonly type: "fit"; readonly launch: number }
  /**
   * An unfit machine has been silent for a while: none of its connections moves anything. `unanswered`: none of them has ever had anything
   * from it.
   */
  | { readonly type: "silent"; readonly launch: number; readonly unanswered: boolean }
  /** A machine that was in use is no longer running. */
  | { readonly type: "died"; readonly launch: number; readonly error: LazysshError }
  /** The cloud has shown the machine gone and its volumes free. */
  | { readonly type: "stopped"; readonly launch: number }
  | { readonly type: "retry" }
  /** The program ends. */
  | { readonly type: "close"; readonly error: LazysshError }
);

/** An event before anybody has looked at the clock. */
export type UntimedEvent = MachineEvent extends infer E ? (E extends unknown ? Omit<E, "at"> : never) : never;

/** What is to be done, in order. */
export type Effect =
  | { readonly type: "prepare" | "create"; readonly launch: number }
  | {
      readonly type: "boot" | "attach" | "probe" | "watch";
      readonly launch: number;
      readonly machine: string;
    }
  /** End the running step or timer of this launch; an order under way is not interrupted. */
  | { readonly type: "abort"; readonly launch: number }
  | { readonly type: "linger"; readonly launch: number; readonly ms: number }
  /**
   * End the machine, and prove it; without an id, look it up by the token of the launch. `failed`: it was of no use, and is not kept
   * to be started again.
   */
  | {
      readonly type: "destroy";
      readonly launch: number;
      readonly machine: string | undefined;
      readonly failed: boolean;
    }
  | { readonly type: "retry"; readonly ms: number }
  | { readonly type: "grant"; readonly lease: LeaseId; readonly host: string }
  /** The answer to a waiting lease that gets no machine. */
  | { readonly type: "refuse"; readonly lease: LeaseId; readonly error: LazysshError }
  /** A held lease loses its machine. */
  | { readonly type: "revoke"; readonly lease: LeaseId; readonly error: LazysshError };

/** What the transition needs to know of the target. */
export interface LifecyclePolicy {
  /** Milliseconds a machine is kept after its last lease. */
  readonly lingerMs: number;
}

export const newMachine: MachineModel = {
  state: { kind: "absent" },
  leases: new Map(),
  launches: 0,
  failures: 0,
  closed: undefined,
};

/** The model of a machine that an earlier run left behind and that may still be of use: it is looked at as one that boots. */
export function adoptedMachine(machine: string): MachineModel {
  return { ...newMachine, launches: 1, state: { kind: "booting", launch: 1, machine } };
}

/** The model of a machine that an earlier run left behind and that is to be ended: launch 1, under way to `absent`. */
export function leftoverMachine(machine: string | undefined, failed = false): MachineModel {
  return {
    ...newMachine,
    launches: 1,
    state: { kind: "stopping", launch: 1, machine, ordering: false, failed, error: undefined },
  };
}
