import type { Cloud } from "./cloud.ts";
import { Ec2Error } from "./error.ts";
import { findInstance } from "./lookup.ts";
import { BY_SPOT, closeSpotRequest, markSpotRequest } from "./spot.ts";
import type { NoticeCode } from "./spot-state.ts";
import { currentState, type Instance, type InstanceState, type StateReason } from "./state.ts";
import { releaseVolumes } from "./volumes.ts";

/** What EC2 says of a machine that ended of itself. */
const BY_INSTANCE: StateReason = {
  code: "Client.InstanceInitiatedShutdown",
  message: "Client.InstanceInitiatedShutdown: Instance initiated shutdown",
};

/** A terminated instance stays in the listings this long (EC2 user guide: "a short while", about an hour). */
const LISTED_AFTER_TERMINATION_MS = 3_600_000;
/** How long a token is remembered at least (EC2 API reference, "Ensuring idempotency"). */
const TOKEN_MEMORY_MS = 24 * 3_600_000;

export function enter(cloud: Cloud, instance: Instance, state: InstanceState, reason?: StateReason): void {
  instance.history.push({ at: cloud.now(), state, reason });
  cloud.emit({ type: "instance.state", instance: instance.id, state, reason: reason?.message });
  if (state === "shutting-down" || state === "terminated") closeSpotRequest(cloud, instance, reason);
}

/** From `pending` on: running after a while, and some time later the port answers; unless fate has it otherwise. */
export function beginBoot(cloud: Cloud, instance: Instance): void {
  const life = currentState(instance);
  const { fate } = instance;
  cloud.schedule(cloud.delays.pendingMs, () => {
    if (currentState(instance) !== life) return;
    if (fate.kind === "dies-pending") {
      finish(cloud, instance, fate.reason);
      return;
    }
    enter(cloud, instance, "running");
    const run = currentState(instance);
    cloud.schedule(cloud.delays.bootMs, () => {
      if (currentState(instance) === run && fate.kind !== "never-opens") {
        cloud.emit({ type: "instance.boot", instance: instance.id });
      }
    });
  });
}

/** A machine that ended without anyone asking: it is on its way to `terminated`. Harmless for one that is gone. */
export function instanceDied(cloud: Cloud, id: string, reason: StateReason = BY_INSTANCE): void {
  const instance = cloud.instances.get(id);
  if (instance === undefined) return;
  const { state } = currentState(instance);
  if (state === "pending" || state === "running") beginTermination(cloud, instance, reason);
}

/**
 * EC2 wants a spot instance back: it says so at once, and shuts it down `ms` later, unless it is gone by then.
 *
 * @throws Ec2Error for an instance that is not there, not of the spot market, or on its way out.
 */
export function interruptSpot(cloud: Cloud, id: string, ms: number, code: NoticeCode): void {
  const instance = findInstance(cloud, id);
  if (instance.spotRequestId === undefined) {
    throw new Ec2Error("UnsupportedOperation", `The instance '${id}' is not a Spot Instance.`);
  }
  const { state } = currentState(instance);
  if (state !== "pending" && state !== "running") {
    throw new Ec2Error("IncorrectInstanceState", `The instance '${id}' is ${state}.`);
  }
  markSpotRequest(cloud, instance, code);
  cloud.schedule(ms, () => instanceDied(cloud, id, BY_SPOT));
}

export function beginTermination(cloud: Cloud, instance: Instance, reason: StateReason): void {
  enter(cloud, instance, "shutting-down", reason);
  cloud.schedule(cloud.delays.shutdownMs, () => {
    if (currentState(instance).state === "shutting-down") finish(cloud, instance, reason);
  });
}

export function finish(cloud: Cloud, instance: Instance, reason: StateReason): void {
  enter(cloud, instance, "terminated", reason);
  releaseVolumes(cloud, instance);
  cloud.schedule(LISTED_AFTER_TERMINATION_MS, () => {
    if (cloud.attachedTo(instance.id).length === 0) forget(cloud, instance);
  });
}

function forget(cloud: Cloud, { id, spotRequestId }: Instance): void {
  cloud.instances.delete(id);
  if (spotRequestId !== undefined) cloud.spotRequests.delete(spotRequestId);
  for (const [token, use] of cloud.tokens) {
    if (use.at + TOKEN_MEMORY_MS < cloud.now()) cloud.tokens.delete(token);
  }
  cloud.touch();
}
