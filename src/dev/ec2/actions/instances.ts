import { Ec2Error } from "../../cloud/error.ts";
import { type LaunchDevice, launch } from "../../cloud/launch.ts";
import { findInstances } from "../../cloud/lookup.ts";
import {
  rebootInstances,
  type StateStep,
  startInstances,
  stopInstances,
  terminateInstances,
} from "../../cloud/power.ts";
import { IMAGES, OWNER_ID, VPC_ID } from "../../cloud/region.ts";
import { type Instance, type StateChange, stateAt } from "../../cloud/state.ts";
import type { Action, ActionContext, ActionTable } from "../action.ts";
import { applyFilters, paginate, tagField } from "../filter.ts";
import type { Params } from "../query.ts";
import type { XmlFields } from "../xml.ts";
import { renderInstance, renderState } from "./render.ts";
import { tagsFor } from "./tags.ts";

interface Seen {
  readonly instance: Instance;
  readonly change: StateChange;
}

const runInstances: Action = (params, { cloud, fate }) => {
  const imageId = params.required("ImageId");
  const userData = params.text("UserData");
  const launched = launch(cloud, {
    imageId,
    instanceType: params.text("InstanceType") ?? "m1.small",
    minCount: params.integer("MinCount") ?? missing("MinCount"),
    maxCount: params.integer("MaxCount") ?? missing("MaxCount"),
    keyName: params.text("KeyName"),
    subnetId: params.text("SubnetId"),
    zone: params.struct("Placement")?.text("AvailabilityZone"),
    securityGroupIds: params.list("SecurityGroupId"),
    iamInstanceProfile: profileName(params),
    userData: userData === undefined ? undefined : decodeBase64(userData),
    shutdownBehavior: params.choice("InstanceInitiatedShutdownBehavior", ["stop", "terminate"]) ?? "stop",
    terminationProtected: params.flag("DisableApiTermination") ?? false,
    devices: params.structs("BlockDeviceMapping").map((mapping) => launchDevice(mapping, imageId)),
    instanceTags: tagsFor(params, "instance"),
    volumeTags: tagsFor(params, "volume"),
    clientToken: params.text("ClientToken"),
    fingerprint: params.fingerprint(),
    fate,
  });
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
function powerAction(act: (cloud: ActionContext["cloud"], ids: readonly string[]) => StateStep[]): Action {
  return (params, { cloud }) => ({
    instancesSet: act(cloud, instanceIds(params)).map(({ id, previous, current }) => ({
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
  StopInstances: powerAction(stopInstances),
  StartInstances: powerAction(startInstances),
  RebootInstances: (params, { cloud }) => {
    rebootInstances(cloud, instanceIds(params));
    return { return: true };
  },
  GetConsoleOutput: getConsoleOutput,
};

function instanceIds(params: Params): string[] {
  const ids = params.list("InstanceId");
  return ids.length > 0 ? ids : missing("InstanceId");
}

function missing(name: string): never {
  throw new Ec2Error("MissingParameter", `The request must contain the parameter ${name}`);
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

function launchDevice(mapping: Params, imageId: string): LaunchDevice {
  const device = mapping.required("DeviceName");
  const ebs = mapping.struct("Ebs");
  const image = IMAGES.find(({ id, rootDevice }) => id === imageId && rootDevice === device);
  const size = ebs?.integer("VolumeSize") ?? image?.rootSize;
  if (size === undefined) {
    throw new Ec2Error(
      "InvalidBlockDeviceMapping",
      `The device ${device} has neither a size nor a snapshot this account knows.`,
    );
  }
  return {
    device,
    size,
    type: ebs?.text("VolumeType") ?? "gp2",
    iops: ebs?.integer("Iops"),
    throughput: ebs?.integer("Throughput"),
    encrypted: ebs?.flag("Encrypted"),
    kmsKeyId: ebs?.text("KmsKeyId"),
    snapshotId: ebs?.text("SnapshotId"),
    deleteOnTermination: ebs?.flag("DeleteOnTermination") ?? true,
  };
}

function profileName(params: Params): string | undefined {
  const profile = params.struct("IamInstanceProfile");
  return profile?.text("Name") ?? profile?.text("Arn")?.split("/").at(-1);
}

function decodeBase64(text: string): string {
  if (!/^[A-Za-z0-9+/\s]*={0,2}$/.test(text)) {
    throw new Ec2Error("InvalidParameterValue", "Invalid BASE64 encoding of user data");
  }
  return Buffer.from(text, "base64").toString();
}
