import type { Cloud } from "./cloud.ts";
import { Ec2Error } from "./error.ts";
import { checkHibernation } from "./hibernation.ts";
import { checkMetadataTags } from "./metadata-tags.ts";
import { IMAGES, type Image, SUBNETS, type Subnet } from "./region.ts";
import type { SpotOrder } from "./spot-state.ts";
import type { Fate, MetadataOptions, Tags } from "./state.ts";
import { checkVolumeSpec, type VolumeSpec } from "./volumes.ts";

/** A volume made with the instance (`BlockDeviceMapping.N.Ebs`). */
export interface LaunchDevice extends Omit<VolumeSpec, "zone" | "tags"> {
  readonly device: string;
  readonly deleteOnTermination: boolean;
}

export interface LaunchRequest extends LaunchFaults {
  readonly imageId: string;
  readonly instanceType: string;
  readonly minCount: number;
  readonly maxCount: number;
  readonly keyName?: string | undefined;
  readonly subnetId?: string | undefined;
  readonly zone?: string | undefined;
  readonly securityGroupIds?: readonly string[];
  /** Default: as the subnet says, which is true. */
  readonly associatePublicIpAddress?: boolean | undefined;
  readonly metadataOptions?: Partial<MetadataOptions>;
  readonly iamInstanceProfile?: string | undefined;
  /** Decoded; at most 16384 bytes. */
  readonly userData?: string | undefined;
  /** Undefined: on demand. */
  readonly spot?: SpotOrder | undefined;
  /** To be launched so that it can be hibernated. Default false. */
  readonly hibernates?: boolean;
  readonly shutdownBehavior?: "stop" | "terminate";
  readonly terminationProtected?: boolean;
  readonly devices?: readonly LaunchDevice[];
  readonly instanceTags?: Tags;
  readonly volumeTags?: Tags;
  readonly clientToken?: string | undefined;
  /** All parameters but the token in one text: the same token with another one is refused. */
  readonly fingerprint: string;
}

/** What goes wrong with an order, by injected faults. */
export interface LaunchFaults {
  readonly fate?: Fate;
  /** The order is sound, and the market refuses it. */
  readonly refusal?: Ec2Error | undefined;
  /** A token whose instances are terminated answers them, instead of being refused. */
  readonly replaysTerminated?: boolean;
}

const USER_DATA_LIMIT = 16384;

/**
 * Whether what is asked for can be launched at all, capacity aside.
 *
 * @throws Ec2Error for whatever EC2 refuses.
 */
export function checkLaunch(cloud: Cloud, request: LaunchRequest): Image {
  const { imageId, instanceType, minCount, maxCount, keyName, userData } = request;
  if (!/^ami-(?:[0-9a-f]{8}|[0-9a-f]{17})$/.test(imageId)) {
    throw new Ec2Error("InvalidAMIID.Malformed", `Invalid id: "${imageId}" (expecting "ami-...")`);
  }
  const image = IMAGES.find(({ id }) => id === imageId);
  if (image === undefined)
    throw new Ec2Error("InvalidAMIID.NotFound", `The image id '[${imageId}]' does not exist`);
  if (!/^[a-z][a-z0-9-]*\.(?:nano|micro|small|medium|\d*x?large|metal(?:-\d+xl)?)$/.test(instanceType)) {
    throw new Ec2Error("InvalidParameterValue", `Invalid value '${instanceType}' for InstanceType.`);
  }
  if (minCount < 1 || maxCount < minCount) {
    throw new Ec2Error(
      "InvalidParameterValue",
      `Value (${minCount}..${maxCount}) for parameter instance count is invalid.`,
    );
  }
  if (keyName !== undefined && !cloud.keyPairs.has(keyName)) {
    throw new Ec2Error("InvalidKeyPair.NotFound", `The key pair '${keyName}' does not exist`);
  }
  if (userData !== undefined && Buffer.byteLength(userData) > USER_DATA_LIMIT) {
    throw new Ec2Error("InvalidParameterValue", `User data is limited to ${USER_DATA_LIMIT} bytes`);
  }
  const devices = request.devices ?? [];
  if (new Set(devices.map(({ device }) => device)).size < devices.length) {
    throw new Ec2Error(
      "InvalidBlockDeviceMapping",
      "A device name appears twice in the block device mapping.",
    );
  }
  devices.forEach(checkVolumeSpec);
  if (request.metadataOptions?.instanceMetadataTags === "enabled")
    checkMetadataTags(request.instanceTags ?? {});
  if (request.hibernates) {
    const root = devices.find(({ device }) => device === image.rootDevice);
    checkHibernation(instanceType, root?.encrypted ?? false);
  }
  chooseSubnet(cloud, request);
  return image;
}

/** Where an order goes: the subnet named, or the one of the zone. @throws Ec2Error when there is none. */
export function chooseSubnet(
  cloud: Cloud,
  { subnetId, zone }: Pick<LaunchRequest, "subnetId" | "zone">,
): Subnet {
  if (subnetId !== undefined) {
    const subnet = SUBNETS.find(({ id }) => id === subnetId);
    if (subnet === undefined) {
      throw new Ec2Error("InvalidSubnetID.NotFound", `The subnet ID '${subnetId}' does not exist`);
    }
    if (zone !== undefined && subnet.zone !== zone) {
      throw new Ec2Error(
        "InvalidParameterValue",
        `The availability zone '${zone}' does not match that of subnet '${subnetId}' (${subnet.zone}).`,
      );
    }
    return subnet;
  }
  const wanted = zone ?? cloud.zone;
  const subnet = SUBNETS.find((candidate) => candidate.zone === wanted);
  if (subnet === undefined) {
    throw new Ec2Error("InvalidParameterValue", `Invalid availability zone: [${wanted}]`);
  }
  return subnet;
}
