import { dryRunSucceeded, Ec2Error, missingParameter } from "../../cloud/error.ts";
import { launch } from "../../cloud/launch.ts";
import { checkLaunch } from "../../cloud/launch-request.ts";
import { findInstances } from "../../cloud/lookup.ts";
import {
  rebootInstances,
  type StateStep,
  startInstances,
  stopInstances,
  terminateInstances,
} from "../../cloud/power.ts";
import { OWNER_ID, VPC_ID } from "../../cloud/region.ts";
import { type Instance, type StateChange, stateAt } from "../../cloud/state.ts";
import type { Action, ActionContext, ActionTable } from "../action.ts";
import { applyFilters, paginate, tagField } from "../filter.ts";
import type { Params } from "../query.ts";
import type { XmlFields } from "../xml.ts";
import { launchRequest } from "./launch-request.ts";
import { renderInstance, renderState } from "./render.ts";

interface Seen {
  readonly instance: Instance;
  readonly change: StateChange;
}

const runInstances: Action = (params, { cloud, fate }) => {
  const request = launchRequest(params, fate);
  if (params.flag("DryRun") === true) {
    checkLaunch(cloud, request);
    throw dryRunSucceeded();
  }
  const launched = launch(cloud, request);
  const [reservation] = reservations(
    { cloud, lagMs: 0 },
    launched.flatMap((instance) => seeAt(instance, cloud.now())),
  );
  return reservation ?? {};
};

const describeInstances: Action = (params, context) => {
  const { cloud, lagMs } = context;
  const ids = params.list("InstanceId");
  if (ids.length > 0 && params.text("MaxResults") !== undefined) {
    throw new Ec2Error(
      "InvalidParameterCombination",
      "The parameter instancesSet cannot be used with the parameter maxResults",
    );
  }
  const instances = ids.length > 0 ? findInstances(cloud, ids, lagMs) : [...cloud.instances.values()];
  const seen = instances.flatMap((instance) => seeAt(instance, cloud.now() - lagMs));
  const { items, nextToken } = paginate(params, applyFilters(params, seen, instanceField(context)));
  return { reservationSet: reservations(context, items), nextToken };
};

const describeInstanceStatus: Action = (params, context) => {
  const { cloud, lagMs } = context;
  const ids = params.list("InstanceId");
  const instances = ids.length > 0 ? findInstances(cloud, ids, lagMs) : [...cloud.instances.values()];
  const all = params.flag("IncludeAllInstances") ?? false;
  const seen = instances
    .flatMap((instance) => seeAt(instance, cloud.now() - lagMs))
    .filter(({ change }) => all || change.state === "running");
  const { items, nextToken } = paginate(params, applyFilters(params, seen, instanceField(context)));
  return {
    instanceStatusSet: items.map(({ instance, change }) => {
      const status = change.state === "running" ? "ok" : "not-applicable";
      return {
        instanceId: instance.id,
        availabilityZone: instance.zone,
        instanceState: renderState(change.state),
        systemStatus: { status },
        instanceStatus: { status },
      };
    }),
    nextToken,
  };
};

/** TerminateInstances, StopInstances and StartInstances differ in what they do, not in how they answer. */
function powerAction(
  act: (cloud: ActionContext["cloud"], ids: readonly string[], params: Params) => StateStep[],
): Action {
  return (params, { cloud }) => ({
    instancesSet: act(cloud, instanceIds(params), params).map(({ id, previous, current }) => ({
      instanceId: id,
      currentState: renderState(current),
      previousState: renderState(previous),
    })),
  });
}

const getConsoleOutput: Action = (params, { cloud, consoleOutput }) => {
  const [instance] = findInstances(cloud, [params.required("InstanceId")]);
  return {
    instanceId: instance?.id,
    timestamp: new Date(cloud.now()).toISOString(),
    output: instance && Buffer.from(consoleOutput(instance.id)).toString("base64"),
  };
};

export const instanceActions: ActionTable = {
  RunInstances: runInstances,
  DescribeInstances: describeInstances,
  DescribeInstanceStatus: describeInstanceStatus,
  TerminateInstances: powerAction(terminateInstances),
  StopInstances: powerAction((cloud, ids, params) =>
    stopInstances(cloud, ids, { hibernate: params.flag("Hibernate") ?? false }),
  ),
  StartInstances: powerAction(startInstances),
  RebootInstances: (params, { cloud }) => {
    rebootInstances(cloud, instanceIds(params));
    return { return: true };
  },
  GetConsoleOutput: getConsoleOutput,
};

function instanceIds(params: Params): string[] {
  const ids = params.list("InstanceId");
  if (ids.length === 0) throw missingParameter("InstanceId");
  return ids;
}

function seeAt(instance: Instance, at: number): Seen[] {
  const change = stateAt(instance, at);
  return change === undefined ? [] : [{ instance, change }];
}

function reservations({ cloud }: Pick<ActionContext, "cloud" | "lagMs">, seen: readonly Seen[]): XmlFields[] {
  const byReservation = new Map<string, Seen[]>();
  for (const one of seen) {
    byReservation.set(one.instance.reservationId, [
      ...(byReservation.get(one.instance.reservationId) ?? []),
      one,
    ]);
  }
  return [...byReservation].map(([reservationId, members]) => ({
    reservationId,
    ownerId: OWNER_ID,
    groupSet: [],
    instancesSet: members.map(({ instance, change }) => renderInstance(cloud, instance, change)),
  }));
}

function instanceField({
  cloud,
}: ActionContext): (seen: Seen, name: string) => readonly (string | undefined)[] | undefined {
  return ({ instance, change }, name) => {
    const attached = cloud.attachedTo(instance.id);
    switch (name) {
      case "instance-id":
        return [instance.id];
      case "instance-state-name":
        return [change.state];
      case "instance-type":
        return [instance.instanceType];
      case "image-id":
        return [instance.imageId];
      case "key-name":
        return [instance.keyName];
      case "client-token":
        return [instance.clientToken];
      case "availability-zone":
        return [instance.zone];
      case "subnet-id":
        return [instance.subnetId];
      case "vpc-id":
        return [VPC_ID];
      case "instance-lifecycle":
        return [instance.spotRequestId && "spot"];
      case "spot-instance-request-id":
        return [instance.spotRequestId];
      case "hibernation-options.configured":
        return [String(instance.hibernates)];
      case "reservation-id":
        return [instance.reservationId];
      case "ip-address":
      case "private-ip-address":
        return [change.state === "terminated" ? undefined : instance.address];
      case "block-device-mapping.volume-id":
        return attached.map(({ id }) => id);
      case "block-device-mapping.device-name":
        return attached.map(({ attachment }) => attachment?.device);
      default:
        return tagField(instance.tags, name);
    }
  };
}
