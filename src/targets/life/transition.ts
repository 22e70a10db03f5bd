import type { LazysshError } from "../../util/errors.ts";
import {
  afterFailure,
  hasHeld,
  hasWaiting,
  type Step,
  same,
  settle,
  step,
  stop,
  withLease,
} from "./moves.ts";
import type {
  Effect,
  LeaseId,
  LeaseStatus,
  LifecyclePolicy,
  MachineEvent,
  MachineModel,
  MachineState,
} from "./state.ts";

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

    case "joined": {
      if (state.kind !== "preparing") return same(model);
      const { machine } = event;
      return step(model, { kind: "booting", launch, machine }, { type: "boot", launch, machine });
    }

    case "missed": {
      if (state.kind === "stopping" && state.ordering) {
        return settle({ ...model, state: afterFailure(model, state.error, event.at) }, event.at);
      }
      if (state.kind !== "booting" && state.kind !== "launching" && state.kind !== "preparing")
        return same(model);
      const next = settle({ ...model, state: { kind: "absent" } }, event.at);
      return { ...next, effects: [{ type: "abort", launch }, ...next.effects] };
    }

    case "created": {
      const { machine } = event;
      if (state.kind === "launching") {
        return step(model, { kind: "booting", launch, machine }, { type: "boot", launch, machine });
      }
      if (state.kind !== "stopping" || !state.ordering) return same(model);
      return step(
        model,
        { ...state, machine, ordering: false },
        { type: "destroy", launch, machine, failed: state.failed },
      );
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
          state: { kind: "ready", launch, machine, host, unfit: undefined },
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
      const stopped = stop({ ...model, leases: new Map(), failures: model.failures + 1 }, event.error, true);
      return { ...stopped, effects: [...refuseAll(model, event.error), ...stopped.effects] };
    }

    case "lingered":
      if (state.kind !== "lingering") return same(model);
      return stop(model, undefined);

    case "unfit":
      if (state.kind === "lingering") return stop(model, event.error);
      if (state.kind !== "ready") return same(model);
      return step(model, { ...state, unfit: event.error });

    case "fit":
      if (state.kind !== "ready" || !state.unfit) return same(model);
      return grantAll({ ...model, state: { ...state, unfit: undefined } }, state.host);

    case "silent":
      // Who uses it is cut off only when somebody waits for another machine, or when it has never been of use to them.
      if (state.kind !== "ready" || !state.unfit) return same(model);
      if (!event.unanswered && !hasWaiting(model)) return same(model);
      return takeAway(model, state.unfit);

    case "died":
      if (state.kind !== "ready" && state.kind !== "lingering") return same(model);
      return takeAway(model, event.error);

    case "stopped":
      if (state.kind !== "stopping" || state.ordering) return same(model);
      return settle({ ...model, state: afterFailure(model, state.error, event.at) }, event.at);
  }
}

function acquire(model: MachineModel, lease: LeaseId, at: number): Step {
  if (model.leases.has(lease)) return same(model);
  if (model.closed) return { model, effects: [{ type: "refuse", lease, error: model.closed }] };
  const { state } = model;
  if (state.kind === "ready" && state.unfit) {
    return same({ ...model, leases: withLease(model, lease, "waiting") });
  }
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
        state: { kind: "ready", launch, machine, host, unfit: undefined },
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
  const { state } = model;
  // Who waits for another machine does not keep the unfit one.
  if (state.kind === "ready" && state.unfit && !hasHeld(next)) return stop(next, undefined);
  if (leases.size > 0) return same(next);

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
      return step(model, next, { type: "destroy", launch, machine: undefined, failed: state.failed });
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
  // Of one at rest that there is no capacity for now, nothing is wrong.
  const useless = error.code !== "NO_CAPACITY";
  return {
    model: { ...next, state: { kind: "stopping", launch, machine, ordering: false, failed: useless, error } },
    effects: [...refusals, { type: "abort", launch }, { type: "destroy", launch, machine, failed: useless }],
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

function refuseAll(model: MachineModel, error: LazysshError): Effect[] {
  return [...model.leases.keys()].map((lease) => ({ type: "refuse", lease, error }));
}

/** Who has the machine loses it; who waits goes on waiting, for the next one. */
function takeAway(model: MachineModel, error: LazysshError): Step {
  const held = [...model.leases].filter(([, status]) => status === "held");
  const waiting = [...model.leases].filter(([, status]) => status === "waiting");
  const stopped = stop({ ...model, leases: new Map(waiting) }, error);
  const revoked = held.map(([lease]): Effect => ({ type: "revoke", lease, error }));
  return { ...stopped, effects: [...revoked, ...stopped.effects] };
}

function grantAll(model: MachineModel, host: string): Step {
  const waiting = [...model.leases].filter(([, status]) => status === "waiting");
  const leases = new Map([...model.leases.keys()].map((lease): [LeaseId, LeaseStatus] => [lease, "held"]));
  return {
    model: { ...model, leases },
    effects: waiting.map(([lease]): Effect => ({ type: "grant", lease, host })),
  };
}
