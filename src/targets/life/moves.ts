import type { MachineTarget } from "../../config/index.ts";
import type { LazysshError } from "../../util/errors.ts";
import type { Effect, LeaseId, LeaseStatus, LifecyclePolicy, MachineModel, MachineState } from "./state.ts";

/** What transitions are made of. */

/** The next value of the machine, and what is to be done about it. */
export interface Step {
  readonly model: MachineModel;
  readonly effects: readonly Effect[];
}

/** A start that failed once is tried again at once; from the second failure in a row on it is held back. */
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 30_000;
/** A machine of one connection is of no use to another, so it does not wait for one; nor does that of a target that is gone. */
export function policyOf(target: MachineTarget | undefined): LifecyclePolicy {
  return { lingerMs: target?.shared ? target.lingerMs : 0 };
}

/** Ends the machine of a state that has, or may have, one. Leases still in the model wait for the next machine. */
export function stop(model: MachineModel, error: LazysshError | undefined, failed = false): Step {
  const { state } = model;
  if (!("launch" in state)) return same(model);
  const { launch } = state;
  const abort: Effect = { type: "abort", launch };
  if (state.kind === "launching") {
    return step(
      model,
      { kind: "stopping", launch, machine: undefined, ordering: true, failed, error },
      abort,
    );
  }
  const machine = "machine" in state ? state.machine : undefined;
  return step(model, { kind: "stopping", launch, machine, ordering: false, failed, error }, abort, {
    type: "destroy",
    launch,
    machine,
    failed,
  });
}

/** Starts what is wanted and may start now. */
export function settle(model: MachineModel, at: number): Step {
  const { state } = model;
  if (model.leases.size === 0) return same(model);
  if (state.kind === "failed" && state.retryAt > at) {
    return { model, effects: [{ type: "retry", ms: state.retryAt - at }] };
  }
  if (state.kind !== "absent" && state.kind !== "failed") return same(model);
  const launch = model.launches + 1;
  return step({ ...model, launches: launch }, { kind: "preparing", launch }, { type: "prepare", launch });
}

export function afterFailure(model: MachineModel, error: LazysshError | undefined, at: number): MachineState {
  if (!error || model.failures < 2) return { kind: "absent" };
  const wait = Math.min(RETRY_FIRST_MS * 2 ** (model.failures - 2), RETRY_MAX_MS);
  return { kind: "failed", error, retryAt: at + wait };
}

export function step(model: MachineModel, state: MachineState, ...effects: Effect[]): Step {
  return { model: { ...model, state }, effects };
}

export function same(model: MachineModel): Step {
  return { model, effects: [] };
}

export function hasHeld({ leases }: MachineModel): boolean {
  return [...leases.values()].includes("held");
}

export function hasWaiting({ leases }: MachineModel): boolean {
  return [...leases.values()].includes("waiting");
}

export function withLease(
  model: MachineModel,
  lease: LeaseId,
  status: LeaseStatus,
): ReadonlyMap<LeaseId, LeaseStatus> {
  return new Map(model.leases).set(lease, status);
}
