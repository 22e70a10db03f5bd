import type { Filter, RunInstancesCommandInput, TagSpecification } from "@aws-sdk/client-ec2";
import type { AwsEc2Target } from "../../config/types.ts";
import type { Notes } from "../provider.ts";
import {
  blockDeviceMapping,
  encodeUserData,
  instanceProfile,
  launchTemplate,
  market,
  metadataOptions,
  network,
} from "./request-parts.ts";
import { launchTags, noteTags, TAG } from "./tags.ts";

/** Every state of an instance that is not gone. */
const LIVE_STATES = ["pending", "running", "shutting-down", "stopping", "stopped"];

export interface Launch {
  /** Undefined leaves it to the launch template. */
  readonly imageId: string | undefined;
  /** Id of this server. */
  readonly owner: string;
  /** Of the launch, whichever alternative it is. */
  readonly token: string;
  /** What makes two of these calls the same one, for EC2. */
  readonly clientToken: string;
  readonly notes: Notes;
}

/**
 * The parameters that launch one instance.
 * Source: EC2 API reference, RunInstances.
 *
 * @param order One of the target's alternatives: at most one type and one subnet.
 */
export function runInstancesInput(order: AwsEc2Target, launch: Launch): RunInstancesCommandInput {
  const { imageId } = launch;
  const [instanceType] = order.instanceTypes;
  return {
    MinCount: 1,
    MaxCount: 1,
    ClientToken: launch.clientToken,
    ...(imageId !== undefined && { ImageId: imageId }),
    ...(order.launchTemplate && { LaunchTemplate: launchTemplate(order.launchTemplate) }),
    ...(instanceType !== undefined && {
      // The SDK takes any string here; its type lists only the instance types of its day.
      InstanceType: instanceType as NonNullable<RunInstancesCommandInput["InstanceType"]>,
    }),
    ...(order.keyName !== undefined && { KeyName: order.keyName }),
    // A guest that powers itself off must not stay behind as a stopped instance with its disks; also with `stop_mode`, for
    // this is not about what we ask for. For spot EC2 takes nothing else.
    InstanceInitiatedShutdownBehavior: "terminate",
    ...market(order),
    ...network(order),
    ...metadataOptions(order),
    ...(order.userData !== undefined && { UserData: encodeUserData(order.userData) }),
    ...(order.iamInstanceProfile !== undefined && {
      IamInstanceProfile: instanceProfile(order.iamInstanceProfile),
    }),
    ...(order.availabilityZone !== undefined && {
      Placement: { AvailabilityZone: order.availabilityZone },
    }),
    ...(order.ebsBlockDevices.length > 0 && {
      BlockDeviceMappings: order.ebsBlockDevices.map(blockDeviceMapping),
    }),
    TagSpecifications: tagSpecifications(order, launch),
  };
}

/** Whatever the launch makes says whose it is, so that nothing of it is left behind unseen. */
function tagSpecifications(order: AwsEc2Target, { owner, token, notes }: Launch): TagSpecification[] {
  const tags = launchTags(order, owner, token);
  // EC2 refuses tags for what a launch does not make: a template may bring an interface that exists.
  const makesInterface = !order.launchTemplate || order.associatePublicIpAddress !== undefined;
  return [
    // Notes change, and are read of the instance alone.
    { ResourceType: "instance", Tags: [...tags, ...noteTags(notes)] },
    { ResourceType: "volume", Tags: tags },
    ...(makesInterface ? [{ ResourceType: "network-interface" as const, Tags: tags }] : []),
    ...(order.spot ? [{ ResourceType: "spot-instances-request" as const, Tags: tags }] : []),
  ];
}

/** Finds what any of a launch's alternatives has made, by their client tokens. */
export function launchFilters(clientTokens: readonly string[]): Filter[] {
  return [{ Name: "client-token", Values: [...clientTokens] }];
}

/** Finds the machines of a server: all that the cloud still lists, or those that are not gone. */
export function ownFilters(owner: string, { gone }: { readonly gone: boolean }): Filter[] {
  const own = { Name: `tag:${TAG.owner}`, Values: [owner] };
  return gone ? [own] : [own, { Name: "instance-state-name", Values: LIVE_STATES }];
}
