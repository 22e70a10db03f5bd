import type {
  BlockDeviceMapping,
  Filter,
  InstanceMetadataOptionsRequest,
  LaunchTemplateSpecification,
  RunInstancesCommandInput,
  Tag,
} from "@aws-sdk/client-ec2";
import type { AwsEc2Target, EbsBlockDevice, LaunchTemplate, MetadataOptions } from "../../config/types.ts";
import type { Notes } from "../provider.ts";

/** Tags by which our machines are found again; `owner` is this server, `launch` the token of one launch. */
export const TAG = {
  owner: "lazyssh:owner",
  target: "lazyssh:target",
  launch: "lazyssh:launch",
} as const;

/** What lazyssh writes on machines are tags with this before their key. */
export const NOTE_PREFIX = "lazyssh:";

/** Every state of an instance that is not gone. */
const LIVE_STATES = ["pending", "running", "shutting-down", "stopping", "stopped"];

export interface Launch {
  /** Undefined leaves it to the launch template. */
  readonly imageId: string | undefined;
  /** Id of this server. */
  readonly owner: string;
  readonly token: string;
  readonly notes: Notes;
}

/**
 * The parameters that launch one instance for the target.
 * Source: EC2 API reference, RunInstances.
 */
export function runInstancesInput(
  target: AwsEc2Target,
  { imageId, owner, token, notes }: Launch,
): RunInstancesCommandInput {
  const tags = launchTags(target, owner, token, notes);
  return {
    MinCount: 1,
    MaxCount: 1,
    ClientToken: token,
    ...(imageId !== undefined && { ImageId: imageId }),
    ...(target.launchTemplate && { LaunchTemplate: launchTemplate(target.launchTemplate) }),
    ...(target.instanceTypes[0] !== undefined && {
      // The SDK takes any string here; its type lists only the instance types of its day.
      InstanceType: target.instanceTypes[0] as NonNullable<RunInstancesCommandInput["InstanceType"]>,
    }),
    ...(target.keyName !== undefined && { KeyName: target.keyName }),
    // A guest that powers itself off must not stay behind as a stopped instance with its disks.
    InstanceInitiatedShutdownBehavior: "terminate",
    ...network(target),
    ...(target.metadataOptions && { MetadataOptions: metadataOptions(target.metadataOptions) }),
    ...(target.userData !== undefined && { UserData: encodeUserData(target.userData) }),
    ...(target.iamInstanceProfile !== undefined && {
      IamInstanceProfile: instanceProfile(target.iamInstanceProfile),
    }),
    ...(target.availabilityZone !== undefined && {
      Placement: { AvailabilityZone: target.availabilityZone },
    }),
    ...(target.ebsBlockDevices.length > 0 && {
      BlockDeviceMappings: target.ebsBlockDevices.map(blockDeviceMapping),
    }),
    TagSpecifications: [
      { ResourceType: "instance", Tags: tags },
      { ResourceType: "volume", Tags: tags },
    ],
  };
}

/** User data as it goes over the wire: the SDK does not encode it. */
function encodeUserData(userData: string): string {
  return Buffer.from(userData, "utf8").toString("base64");
}

/** Finds the machine of one launch. */
export function launchFilters(token: string): Filter[] {
  return [{ Name: "client-token", Values: [token] }];
}

/** Finds every machine of a server that is not gone. */
export function ownFilters(owner: string): Filter[] {
  return [
    { Name: `tag:${TAG.owner}`, Values: [owner] },
    { Name: "instance-state-name", Values: LIVE_STATES },
  ];
}

function launchTags(target: AwsEc2Target, owner: string, token: string, notes: Notes): Tag[] {
  // Ours come last, so that no tag of the user's can take a machine out of our sight.
  const tags = {
    Name: target.name,
    ...target.tags,
    ...Object.fromEntries(Object.entries(notes).map(([key, value]) => [`${NOTE_PREFIX}${key}`, value])),
    [TAG.owner]: owner,
    [TAG.target]: target.name,
    [TAG.launch]: token,
  };
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

/** Where the instance is in the network. EC2 refuses a subnet or groups beside an interface: they move into it. */
function network(
  target: AwsEc2Target,
): Pick<RunInstancesCommandInput, "NetworkInterfaces" | "SecurityGroupIds" | "SubnetId"> {
  const { associatePublicIpAddress, securityGroupIds } = target;
  const [subnetId] = target.subnetIds;
  const subnet = subnetId !== undefined && { SubnetId: subnetId };
  const groups = securityGroupIds.length > 0 && [...securityGroupIds];
  if (associatePublicIpAddress === undefined) {
    return { ...subnet, ...(groups && { SecurityGroupIds: groups }) };
  }
  return {
    NetworkInterfaces: [
      {
        DeviceIndex: 0,
        AssociatePublicIpAddress: associatePublicIpAddress,
        // An interface that stays behind costs its address.
        DeleteOnTermination: true,
        ...subnet,
        ...(groups && { Groups: groups }),
      },
    ],
  };
}

function launchTemplate({ id, name, version }: LaunchTemplate): LaunchTemplateSpecification {
  return {
    ...(id !== undefined && { LaunchTemplateId: id }),
    ...(name !== undefined && { LaunchTemplateName: name }),
    ...(version !== undefined && { Version: version }),
  };
}

function metadataOptions(options: MetadataOptions): InstanceMetadataOptionsRequest {
  const { httpTokens, httpPutResponseHopLimit, httpEndpoint } = options;
  return {
    HttpTokens: httpTokens,
    ...(httpPutResponseHopLimit !== undefined && { HttpPutResponseHopLimit: httpPutResponseHopLimit }),
    ...(httpEndpoint !== undefined && { HttpEndpoint: httpEndpoint }),
  };
}

function instanceProfile(profile: string): { Arn: string } | { Name: string } {
  return profile.startsWith("arn:") ? { Arn: profile } : { Name: profile };
}

function blockDeviceMapping(device: EbsBlockDevice): BlockDeviceMapping {
  return {
    DeviceName: device.deviceName,
    Ebs: {
      ...(device.deleteOnTermination !== undefined && { DeleteOnTermination: device.deleteOnTermination }),
      ...(device.encrypted !== undefined && { Encrypted: device.encrypted }),
      ...(device.kmsKeyId !== undefined && { KmsKeyId: device.kmsKeyId }),
      ...(device.snapshotId !== undefined && { SnapshotId: device.snapshotId }),
      ...(device.volumeSize !== undefined && { VolumeSize: device.volumeSize }),
      ...(device.volumeType !== undefined && {
        VolumeType: device.volumeType as NonNullable<NonNullable<BlockDeviceMapping["Ebs"]>["VolumeType"]>,
      }),
      ...(device.iops !== undefined && { Iops: device.iops }),
      ...(device.throughput !== undefined && { Throughput: device.throughput }),
    },
  };
}
