import type { Cloud } from "../../cloud/cloud.ts";
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
import { type Instance, stateAt } from "../../cloud/state.ts";
import type { Action, ActionContext, ActionTable } from "../action.ts";
import { applyFilters, paginate, tagField } from "../filter.ts";
import type { Params } from "../query.ts";
import type { XmlFields } from "../xml.ts";
import { launchRequest } from "./launch-request.ts";
import { renderInstance, renderState, type SeenInstance } from "./render.ts";

const runInstances: Action = (params, { cloud, launch: faults }) => {
  const request = launchRequest(params, faults);
  if (params.flag("DryRun") === true) {
    checkLaunch(cloud, request);
    throw dryRunSucceeded();
  }
  const launched = launch(cloud, request);
  const [reservation] = reservations(launched.flatMap((instance) => seeAt({ cloud, lagMs: 0 }, instance)));
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
  const instances = ids.length > 0 ? findInstances(cloud, ids, lagMs) : listed(context);
  const seen = instances.flatMap((instance) => seeAt(context, instance));
  const { items, nextToken } = paginate(params, applyFilters(params, seen, instanceField));
  return { reservationSet: reservations(items), nextToken };
};

const describeInstanceStatus: Action = (params, context) => {
  const { cloud, lagMs } = context;
  const ids = params.list("InstanceId");
  const instances = ids.length > 0 ? findInstances(cloud, ids, lagMs) : listed(context);
  const all = params.flag("IncludeAllInstances") ?? false;
  const seen = instances
    .flatMap((instance) => seeAt(context, instance))
    .filter(({ change }) => all || change.state === "running");
  const { items, nextToken } = paginate(params, applyFilters(params, seen, instanceField));
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
  act: (cloud: Cloud, ids: readonly string[], params: Params, context: ActionContext) => StateStep[],
): Action {
  return (params, context) => ({
    instancesSet: act(context.cloud, instanceIds(params), params, context).map(
      ({ id, previous, current }) => ({
        instanceId: id,
        currentState: renderState(current),
        previousState: renderState(previous),
      }),
    ),
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
  TerminateInstances: powerAction((cloud, ids, _params, { detachMs }) =>
    terminateInstances(cloud, ids, { detachMs }),
  ),
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

function listed({ cloud, hides }: ActionContext): Instance[] {
  return [...cloud.instances.values()].filter((instance) => !hides(instance));
}

function seeAt({ cloud, lagMs }: Pick<ActionContext, "cloud" | "lagMs">, instance: Instance): SeenInstance[] {
  const change = stateAt(instance, cloud.now() - lagMs);
  if (change === undefined) return [];
  const volumes = cloud.attachedTo(instance.id, lagMs);
  return [{ instance, change, tags: cloud.tagsAt(instance, lagMs), volumes }];
}

function reservations(seen: readonly SeenInstance[]): XmlFields[] {
  const byReservation = new Map<string, SeenInstance[]>();
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
    instancesSet: members.map(renderInstance),
  }));
}

function instanceField(
  { instance, change, tags, volumes }: SeenInstance,
  name: string,
): readonly (string | undefined)[] | undefined {
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
      return volumes.map(({ id }) => id);
    case "block-device-mapping.device-name":
      return volumes.map(({ attachment }) => attachment?.device);
    default:
      return tagField(tags, name);
  }
}
