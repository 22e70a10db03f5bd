import type { BlockDeviceMapping, Filter, RunInstancesCommandInput, Tag } from "@aws-sdk/client-ec2";
import type { AwsEc2Target, EbsBlockDevice } from "../../config/types.ts";

/** Tags by which our machines are found again; `owner` is this server, `launch` the token of one launch. */
export const TAG = {
  owner: "lazyssh:owner",
  target: "lazyssh:target",
  launch: "lazyssh:launch",
} as const;

/** Every state of an instance that is not gone. */
const LIVE_STATES = ["pending", "running", "shutting-down", "stopping", "stopped"];

/**
 * The parameters that launch one instance for the target.
 * Source: EC2 API reference, RunInstances.
 */
export function runInstancesInput(
  target: AwsEc2Target,
  owner: string,
  token: string,
): RunInstancesCommandInput {
  const tags = launchTags(target, owner, token);
  return {
    MinCount: 1,
    MaxCount: 1,
    ClientToken: token,
    ImageId: target.imageId,
    // The SDK takes any string here; its type lists only the instance types of its day.
    InstanceType: target.instanceType as NonNullable<RunInstancesCommandInput["InstanceType"]>,
    KeyName: target.keyName,
    // A guest that powers itself off must not stay behind as a stopped instance with its disks.
    InstanceInitiatedShutdownBehavior: "terminate",
    ...(target.subnetId !== undefined && { SubnetId: target.subnetId }),
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

function launchTags(target: AwsEc2Target, owner: string, token: string): Tag[] {
  return [
    { Key: "Name", Value: target.name },
    { Key: TAG.owner, Value: owner },
    { Key: TAG.target, Value: target.name },
    { Key: TAG.launch, Value: token },
  ];
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
    },
  };
}
