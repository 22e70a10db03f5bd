import type { LazysshError } from "../util/errors.ts";
import type {
  Effect,
  LeaseId,
  LeaseStatus,
  LifecyclePolicy,
  MachineEvent,
  MachineModel,
  MachineState,
} from "./state.ts";

/** The next value of the machine, and what is to be done about it. */
export interface Step {
  readonly model: MachineModel;
  readonly effects: readonly Effect[];
}

/** A start that failed once is tried again at once; from the second failure in a row on it is held back. */
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 30_000;
/** What clients of a server that crashed get, at the least, to come back to a machine that it had started. */
const ADOPTED_LINGER_MS = 30_000;

/**
 * Every change of a machine's life, as a pure function. Two things hold after each step: a machine that may exist
 * is either wanted by a lease, lingering, being stopped, or adopted and not yet looked at; and every lease that was acquired has got, or will
 * get, exactly one answer. Events that do not fit the state (a late result, a second release) change nothing,
 * except that a machine a late order brings is ended.
 */
export function transition(model: MachineModel, event: MachineEvent, policy: LifecyclePolicy): Step {
  switch (event.type) {
    case "acquire":
      return acquire(model, event.lease, event.at);
    case "release":
      return release(model, event.lease, event.at, policy);
    case "close":
      return close(model, event.error, event.at);
    case "retry":
      return model.state.kind === "failed"
        ? settle({ ...model, state: { kind: "absent" } }, event.at)
        : same(model);
    default:
      return launchEvent(model, event, policy);
  }
}

type LaunchEvent = Extract<MachineEvent, { launch: number }>;

function launchEvent(model: MachineModel, event: LaunchEvent, policy: LifecyclePolicy): Step {
  const { state } = model;
  if (!("launch" in state) || state.launch !== event.launch) return same(model);
  const { launch } = state;

  switch (event.type) {
    case "prepared":
      if (state.kind !== "preparing") return same(model);
      return step(model, { kind: "launching", launch }, { type: "create", launch });

    case "created": {
      const { machine } = event;
      if (state.kind === "launching") {
        return step(model, { kind: "booting", launch, machine }, { type: "boot", launch, machine });
      }
      if (state.kind !== "stopping" || !state.ordering) return same(model);
      return step(model, { ...state, machine, ordering: false }, { type: "destroy", launch, machine });
    }

    case "booted": {
      if (state.kind !== "booting") return same(model);
      const { machine } = state;
      return step(model, { kind: "attaching", launch, machine }, { type: "attach", launch, machine });
    }

    case "attached": {
      if (state.kind !== "attaching") return same(model);
      const { machine } = state;
      return step(model, { kind: "probing", launch, machine }, { type: "probe", launch, machine });
    }

    case "answering": {
      if (state.kind !== "probing") return same(model);
      const { machine } = state;
      const { host } = event;
      const granted = [...model.leases.keys()];
      if (granted.length === 0) {
        // Adopted, and nobody has come yet.
        const ms = Math.max(policy.lingerMs, ADOPTED_LINGER_MS);
        return step(
          { ...model, failures: 0 },
          { kind: "lingering", launch, machine, host, until: event.at + ms },
          { type: "watch", launch, machine },
          { type: "linger", launch, ms },
        );
      }
      return {
        model: {
          ...model,
          failures: 0,
          leases: new Map(granted.map((lease): [LeaseId, LeaseStatus] => [lease, "held"])),
          state: { kind: "ready", launch, machine, host },
        },
        effects: [
          ...granted.map((lease): Effect => ({ type: "grant", lease, host })),
          { type: "watch", launch, machine },
        ],
      };
    }

    case "failed":
      return failed(model, event);

    case "overdue": {
      if (state.kind !== "launching") return same(model);
      const stopped = stop({ ...model, leases: new Map(), failures: model.failures + 1 }, event.error);
      return { ...stopped, effects: [...refuseAll(model, event.error), ...stopped.effects] };
    }

    case "lingered":
      if (state.kind !== "lingering") return same(model);
      return stop(model, undefined);

    case "died": {
      if (state.kind !== "ready" && state.kind !== "lingering") return same(model);
      const stopped = stop({ ...model, leases: new Map() }, event.error);
      return { ...stopped, effects: [...revokeAll(model, event.error), ...stopped.effects] };
    }

    case "stopped":
      if (state.kind !== "stopping" || state.ordering) return same(model);
      return settle({ ...model, state: afterFailure(model, state.error, event.at) }, event.at);
  }
}

function acquire(model: MachineModel, lease: LeaseId, at: number): Step {
  if (model.leases.has(lease)) return same(model);
  if (model.closed) return { model, effects: [{ type: "refuse", lease, error: model.closed }] };
  const { state } = model;
  if (state.kind === "ready" || state.kind === "lingering") {
    const { launch, machine, host } = state;
    const effects: Effect[] = [{ type: "grant", lease, host }];
    if (state.kind === "lingering") {
      effects.unshift({ type: "abort", launch }, { type: "watch", launch, machine });
    }
    return {
      model: {
        ...model,
        leases: withLease(model, lease, "held"),
        state: { kind: "ready", launch, machine, host },
      },
      effects,
    };
  }
  return settle({ ...model, leases: withLease(model, lease, "waiting") }, at);
}

function release(model: MachineModel, lease: LeaseId, at: number, policy: LifecyclePolicy): Step {
  if (!model.leases.has(lease)) return same(model);
  const leases = new Map(model.leases);
  leases.delete(lease);
  const next = { ...model, leases };
  if (leases.size > 0) return same(next);

  const { state } = model;
  switch (state.kind) {
    case "preparing": // nothing was ordered yet
      return step(next, { kind: "absent" }, { type: "abort", launch: state.launch });
    case "launching":
    case "booting":
    case "attaching":
    case "probing":
      return stop(next, undefined);
    case "ready": {
      const { launch, machine, host } = state;
      if (policy.lingerMs <= 0) return stop(next, undefined);
      return step(
        next,
        { kind: "lingering", launch, machine, host, until: at + policy.lingerMs },
        { type: "linger", launch, ms: policy.lingerMs },
      );
    }
    case "absent":
    case "lingering":
    case "stopping":
    case "failed":
      return same(next);
  }
}

/** A step of the start failed: everyone who waits is told why, and what may exist is ended. */
function failed(model: MachineModel, event: Extract<MachineEvent, { type: "failed" }>): Step {
  const { state } = model;
  const { launch, error } = event;
  if (state.kind === "stopping" && state.ordering) {
    // The order of a start that nobody wants any more has failed.
    const next: MachineState = { ...state, ordering: false };
    if (event.exists === "maybe") {
      return step(model, next, { type: "destroy", launch, machine: undefined });
    }
    return settle({ ...model, state: afterFailure(model, state.error, event.at) }, event.at);
  }
  const starting =
    state.kind === "preparing" ||
    state.kind === "launching" ||
    state.kind === "booting" ||
    state.kind === "attaching" ||
    state.kind === "probing";
  if (!starting) return same(model);

  const refusals = refuseAll(model, error);
  const next: MachineModel = { ...model, leases: new Map(), failures: model.failures + 1 };
  const machine = "machine" in state ? state.machine : undefined;
  if (machine === undefined && event.exists === "no") {
    return { model: { ...next, state: afterFailure(next, error, event.at) }, effects: refusals };
  }
  return {
    model: { ...next, state: { kind: "stopping", launch, machine, ordering: false, error } },
    effects: [...refusals, { type: "abort", launch }, { type: "destroy", launch, machine }],
  };
}

function close(model: MachineModel, error: LazysshError, at: number): Step {
  if (model.closed) return same(model);
  const answers = [...model.leases].map(
    ([lease, status]): Effect => ({ type: status === "held" ? "revoke" : "refuse", lease, error }),
  );
  const next: MachineModel = { ...model, leases: new Map(), closed: error };
  const { state } = next;
  const rest =
    state.kind === "absent" || state.kind === "failed" || state.kind === "stopping"
      ? settle(next, at)
      : state.kind === "preparing"
        ? step(next, { kind: "absent" }, { type: "abort", launch: state.launch })
        : stop(next, error);
  return { ...rest, effects: [...answers, ...rest.effects] };
}

/** Ends the machine of a state that has, or may have, one. Leases still in the model wait for the next machine. */
function stop(model: MachineModel, error: LazysshError | undefined): Step {
  const { state } = model;
  if (!("launch" in state)) return same(model);
  const { launch } = state;
  const abort: Effect = { type: "abort", launch };
  if (state.kind === "launching") {
    return step(model, { kind: "stopping", launch, machine: undefined, ordering: true, error }, abort);
  }
  const machine = "machine" in state ? state.machine : undefined;
  return step(model, { kind: "stopping", launch, machine, ordering: false, error }, abort, {
    type: "destroy",
    launch,
    machine,
  });
}

/** Starts what is wanted and may start now. */
function settle(model: MachineModel, at: number): Step {
  const { state } = model;
  if (model.leases.size === 0) return same(model);
  if (state.kind === "failed" && state.retryAt > at) {
    return { model, effects: [{ type: "retry", ms: state.retryAt - at }] };
  }
  if (state.kind !== "absent" && state.kind !== "failed") return same(model);
  const launch = model.launches + 1;
  return step({ ...model, launches: launch }, { kind: "preparing", launch }, { type: "prepare", launch });
}

function afterFailure(model: MachineModel, error: LazysshError | undefined, at: number): MachineState {
  if (!error || model.failures < 2) return { kind: "absent" };
  const wait = Math.min(RETRY_FIRST_MS * 2 ** (model.failures - 2), RETRY_MAX_MS);
  return { kind: "failed", error, retryAt: at + wait };
}

function refuseAll(model: MachineModel, error: LazysshError): Effect[] {
  return [...model.leases.keys()].map((lease) => ({ type: "refuse", lease, error }));
}

function revokeAll(model: MachineModel, error: LazysshError): Effect[] {
  return [...model.leases.keys()].map((lease) => ({ type: "revoke", lease, error }));
}

function withLease(
  model: MachineModel,
  lease: LeaseId,
  status: LeaseStatus,
): ReadonlyMap<LeaseId, LeaseStatus> {
  return new Map(model.leases).set(lease, status);
}

function step(model: MachineModel, state: MachineState, ...effects: Effect[]): Step {
  return { model: { ...model, state }, effects };
}

function same(model: MachineModel): Step {
  return { model, effects: [] };
}
