import type { Cloud } from "./cloud.ts";
import { Ec2Error } from "./error.ts";
import { findInstance, findInstances } from "./lookup.ts";
import { currentState, type Instance, type InstanceState, type StateReason } from "./state.ts";
import { releaseVolumes } from "./volumes.ts";

const BY_USER: StateReason = {
  code: "Client.UserInitiatedShutdown",
  message: "Client.UserInitiatedShutdown: User initiated shutdown",
};

/** What EC2 says of a machine that ended of itself. */
const BY_INSTANCE: StateReason = {
  code: "Client.InstanceInitiatedShutdown",
  message: "Client.InstanceInitiatedShutdown: Instance initiated shutdown",
};

/** A terminated instance stays in the listings this long (EC2 user guide: "a short while", about an hour). */
const LISTED_AFTER_TERMINATION_MS = 3_600_000;
/** How long a token is remembered at least (EC2 API reference, "Ensuring idempotency"). */
const TOKEN_MEMORY_MS = 24 * 3_600_000;

/** The change of state of one instance by one call. */
export interface StateStep {
  readonly id: string;
  readonly previous: InstanceState;
  readonly current: InstanceState;
}

export function enter(cloud: Cloud, instance: Instance, state: InstanceState, reason?: StateReason): void {
  instance.history.push({ at: cloud.now(), state, reason });
  cloud.emit({ type: "instance.state", instance: instance.id, state, reason: reason?.message });
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

/** @throws Ec2Error `OperationNotPermitted` for a protected one; then none of the others is touched either. */
export function terminateInstances(cloud: Cloud, ids: readonly string[]): StateStep[] {
  const instances = findInstances(cloud, ids);
  const kept = instances.find(({ terminationProtected }) => terminationProtected);
  if (kept !== undefined) {
    throw new Ec2Error(
      "OperationNotPermitted",
      `The instance '${kept.id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.`,
    );
  }
  return instances.map((instance) =>
    step(instance, () => {
      const { state } = currentState(instance);
      if (state === "stopped") finish(cloud, instance, BY_USER);
      else if (state !== "terminated" && state !== "shutting-down")
        beginTermination(cloud, instance, BY_USER);
    }),
  );
}

/** A machine that ended without anyone asking: it is on its way to `terminated`. Harmless for one that is gone. */
export function instanceDied(cloud: Cloud, id: string, reason: StateReason = BY_INSTANCE): void {
  const instance = cloud.instances.get(id);
  if (instance === undefined) return;
  const { state } = currentState(instance);
  if (state === "pending" || state === "running") beginTermination(cloud, instance, reason);
}

export function stopInstances(cloud: Cloud, ids: readonly string[]): StateStep[] {
  const instances = findInstances(cloud, ids);
  for (const instance of instances) {
    const { state } = currentState(instance);
    if (state === "pending" || state === "shutting-down" || state === "terminated") {
      throw new Ec2Error(
        "IncorrectInstanceState",
        `The instance '${instance.id}' is not in a state from which it can be stopped.`,
      );
    }
  }
  return instances.map((instance) =>
    step(instance, () => {
      if (currentState(instance).state !== "running") return;
      enter(cloud, instance, "stopping", BY_USER);
      const life = currentState(instance);
      cloud.schedule(cloud.delays.shutdownMs, () => {
        if (currentState(instance) === life) enter(cloud, instance, "stopped", BY_USER);
      });
    }),
  );
}

export function startInstances(cloud: Cloud, ids: readonly string[]): StateStep[] {
  const instances = findInstances(cloud, ids);
  for (const instance of instances) {
    const { state } = currentState(instance);
    if (state !== "stopped" && state !== "running" && state !== "pending") {
      throw new Ec2Error(
        "IncorrectInstanceState",
        `The instance '${instance.id}' is not in a state from which it can be started.`,
      );
    }
  }
  return instances.map((instance) =>
    step(instance, () => {
      if (currentState(instance).state !== "stopped") return;
      instance.address = cloud.newAddress();
      instance.launchTime = cloud.now();
      enter(cloud, instance, "pending");
      beginBoot(cloud, instance);
    }),
  );
}

export function rebootInstances(cloud: Cloud, ids: readonly string[]): void {
  const instances = findInstances(cloud, ids);
  for (const instance of instances) {
    if (currentState(instance).state !== "running") {
      throw new Ec2Error("IncorrectState", `The instance '${instance.id}' is not in the 'running' state.`);
    }
  }
  for (const { id } of instances) {
    cloud.emit({ type: "instance.reboot", instance: id });
    const life = currentState(findInstance(cloud, id));
    cloud.schedule(cloud.delays.bootMs, () => {
      const instance = cloud.instances.get(id);
      if (instance !== undefined && currentState(instance) === life && instance.fate.kind !== "never-opens") {
        cloud.emit({ type: "instance.boot", instance: id });
      }
    });
  }
}

function step(instance: Instance, act: () => void): StateStep {
  const previous = currentState(instance).state;
  act();
  return { id: instance.id, previous, current: currentState(instance).state };
}

function beginTermination(cloud: Cloud, instance: Instance, reason: StateReason): void {
  enter(cloud, instance, "shutting-down", reason);
  cloud.schedule(cloud.delays.shutdownMs, () => {
    if (currentState(instance).state === "shutting-down") finish(cloud, instance, reason);
  });
}

function finish(cloud: Cloud, instance: Instance, reason: StateReason): void {
  enter(cloud, instance, "terminated", reason);
  releaseVolumes(cloud, instance.id);
  cloud.schedule(LISTED_AFTER_TERMINATION_MS, () => {
    if (cloud.attachedTo(instance.id).length === 0) forget(cloud, instance.id);
  });
}

function forget(cloud: Cloud, id: string): void {
  cloud.instances.delete(id);
  for (const [token, use] of cloud.tokens) {
    if (use.at + TOKEN_MEMORY_MS < cloud.now()) cloud.tokens.delete(token);
  }
  cloud.touch();
}
