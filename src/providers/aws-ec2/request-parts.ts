import type {
  BlockDeviceMapping,
  InstanceMetadataOptionsRequest,
  LaunchTemplateSpecification,
  RunInstancesCommandInput,
} from "@aws-sdk/client-ec2";
import type { AwsEc2Target, EbsBlockDevice, LaunchTemplate, MetadataOptions } from "../../config/types.ts";

/**
 * Spot is asked for once and ends for good: a persistent request would start another machine behind our back.
 * Source: EC2 API reference, SpotMarketOptions.
 */
export function market({
  spot,
  stopMode,
}: AwsEc2Target): Pick<RunInstancesCommandInput, "HibernationOptions" | "InstanceMarketOptions"> {
  if (spot) {
    return {
      InstanceMarketOptions: {
        MarketType: "spot",
        SpotOptions: {
          SpotInstanceType: "one-time",
          InstanceInterruptionBehavior: "terminate",
          ...(spot.maxPrice !== undefined && { MaxPrice: spot.maxPrice }),
        },
      },
    };
  }
  // What is spot cannot rest, so it is only for the others; it must be chosen at launch.
  return stopMode === "hibernate" ? { HibernationOptions: { Configured: true } } : {};
}

/** User data as it goes over the wire: the SDK does not encode it. */
export function encodeUserData(userData: string): string {
  return Buffer.from(userData, "utf8").toString("base64");
}

/** Where the instance is in the network. EC2 refuses a subnet or groups beside an interface: they move into it. */
export function network(
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

export function launchTemplate({ id, name, version }: LaunchTemplate): LaunchTemplateSpecification {
  return {
    ...(id !== undefined && { LaunchTemplateId: id }),
    ...(name !== undefined && { LaunchTemplateName: name }),
    ...(version !== undefined && { Version: version }),
  };
}

export function metadataOptions({
  metadataOptions: options,
  deadManMs,
}: AwsEc2Target): Pick<RunInstancesCommandInput, "MetadataOptions"> {
  // The guest reads its expiry there.
  const tags = deadManMs === undefined ? undefined : ({ InstanceMetadataTags: "enabled" } as const);
  if (!options && !tags) return {};
  return { MetadataOptions: { ...(options && serviceOptions(options)), ...tags } };
}

function serviceOptions(options: MetadataOptions): InstanceMetadataOptionsRequest {
  const { httpTokens, httpPutResponseHopLimit, httpEndpoint } = options;
  return {
    HttpTokens: httpTokens,
    ...(httpPutResponseHopLimit !== undefined && { HttpPutResponseHopLimit: httpPutResponseHopLimit }),
    ...(httpEndpoint !== undefined && { HttpEndpoint: httpEndpoint }),
  };
}

export function instanceProfile(profile: string): { Arn: string } | { Name: string } {
  return profile.startsWith("arn:") ? { Arn: profile } : { Name: profile };
}

export function blockDeviceMapping(device: EbsBlockDevice): BlockDeviceMapping {
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
