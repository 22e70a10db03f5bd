import type { Cloud } from "./cloud.ts";
import { Ec2Error } from "./error.ts";
import { checkHibernates } from "./hibernation.ts";
import { beginBoot, beginTermination, enter, finish } from "./life.ts";
import { findInstance, findInstances } from "./lookup.ts";
import { currentState, type Instance, type InstanceState, type StateReason } from "./state.ts";

const BY_USER: StateReason = {
  code: "Client.UserInitiatedShutdown",
  message: "Client.UserInitiatedShutdown: User initiated shutdown",
};
const HIBERNATED: StateReason = {
  code: "Client.UserInitiatedHibernate",
  message: "Client.UserInitiatedHibernate: User initiated hibernate",
};

/** The change of state of one instance by one call. */
export interface StateStep {
  readonly id: string;
  readonly previous: InstanceState;
  readonly current: InstanceState;
}

/**
 * TerminateInstances.
 *
 * @param options.detachMs how long their volumes then take to come free. Default: as the cloud's delays have it.
 * @throws Ec2Error `OperationNotPermitted` for a protected one; then none of the others is touched either.
 */
export function terminateInstances(
  cloud: Cloud,
  ids: readonly string[],
  { detachMs }: { readonly detachMs?: number | undefined } = {},
): StateStep[] {
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
      instance.detachMs = detachMs ?? instance.detachMs;
      if (state === "stopped") finish(cloud, instance, BY_USER);
      else if (state !== "terminated" && state !== "shutting-down")
        beginTermination(cloud, instance, BY_USER);
    }),
  );
}

/**
 * StopInstances. The memory of a hibernated machine is not kept here: it is stopped, and says what it was asked for.
 *
 * @throws Ec2Error `UnsupportedOperation`, `IncorrectInstanceState`, `UnsupportedHibernationConfiguration`; then none
 * of them is touched.
 */
export function stopInstances(
  cloud: Cloud,
  ids: readonly string[],
  options: { readonly hibernate?: boolean } = {},
): StateStep[] {
  const instances = findInstances(cloud, ids);
  for (const instance of instances) {
    if (instance.spotRequestId !== undefined) {
      throw new Ec2Error(
        "UnsupportedOperation",
        `You can't stop the Spot Instance '${instance.id}' because it is associated with a one-time Spot Instance request. You can only stop Spot Instances associated with persistent Spot Instance requests.`,
      );
    }
    const { state } = currentState(instance);
    if (state === "pending" || state === "shutting-down" || state === "terminated") {
      throw new Ec2Error(
        "IncorrectInstanceState",
        `The instance '${instance.id}' is not in a state from which it can be stopped.`,
      );
    }
  }
  if (options.hibernate) checkHibernates(instances);
  const reason = options.hibernate ? HIBERNATED : BY_USER;
  return instances.map((instance) =>
    step(instance, () => {
      if (currentState(instance).state !== "running") return;
      enter(cloud, instance, "stopping", reason);
      const life = currentState(instance);
      cloud.schedule(cloud.delays.shutdownMs, () => {
        if (currentState(instance) === life) enter(cloud, instance, "stopped", reason);
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
