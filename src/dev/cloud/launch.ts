import type { Cloud } from "./cloud.ts";
import { Ec2Error, noCapacity } from "./error.ts";
import { findInstances } from "./lookup.ts";
import { beginBoot, enter } from "./power.ts";
import { DEFAULT_GROUP_ID, IMAGES, type Image, SUBNETS, type Subnet } from "./region.ts";
import { currentState, type Fate, type Instance, type MetadataOptions, type Tags } from "./state.ts";
import { checkVolumeSpec, createVolume, hold, type VolumeSpec } from "./volumes.ts";

/** A volume made with the instance (`BlockDeviceMapping.N.Ebs`). */
export interface LaunchDevice extends Omit<VolumeSpec, "zone" | "tags"> {
  readonly device: string;
  readonly deleteOnTermination: boolean;
}

export interface LaunchRequest {
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
  readonly shutdownBehavior?: "stop" | "terminate";
  readonly terminationProtected?: boolean;
  readonly devices?: readonly LaunchDevice[];
  readonly instanceTags?: Tags;
  readonly volumeTags?: Tags;
  readonly clientToken?: string | undefined;
  /** All parameters but the token in one text: the same token with another one is refused. */
  readonly fingerprint: string;
  readonly fate?: Fate;
}

/** EC2 user guide, "Instance metadata options": what holds when neither account nor image says otherwise. */
const METADATA_DEFAULTS: MetadataOptions = {
  httpTokens: "optional",
  httpPutResponseHopLimit: 1,
  httpEndpoint: "enabled",
};
const USER_DATA_LIMIT = 16384;
const TOKEN_LIMIT = 64;

/**
 * RunInstances: makes the instances, `pending`, and sets their boot going. The same token answers the same ones.
 *
 * @throws Ec2Error for whatever EC2 refuses, before anything is made.
 */
export function launch(cloud: Cloud, request: LaunchRequest): Instance[] {
  const { clientToken: token } = request;
  if (token !== undefined) {
    const before = recall(cloud, token, request.fingerprint);
    if (before !== undefined) return before;
  }
  const image = check(cloud, request);
  const subnet = chooseSubnet(cloud, request);
  checkCapacity(cloud, request, subnet.zone);
  const reservationId = cloud.newId("r");
  const launched = Array.from({ length: request.maxCount }, (_, index) =>
    createInstance(cloud, request, { image, subnet, reservationId, index }),
  );
  if (token !== undefined) {
    cloud.tokens.set(token, {
      fingerprint: request.fingerprint,
      instanceIds: launched.map(({ id }) => id),
      at: cloud.now(),
    });
  }
  return launched;
}

function recall(cloud: Cloud, token: string, fingerprint: string): Instance[] | undefined {
  if (token.length > TOKEN_LIMIT || !/^[\x20-\x7e]*$/.test(token)) {
    throw new Ec2Error(
      "InvalidParameterValue",
      `Value (${token}) for parameter clientToken is invalid. It must be at most ${TOKEN_LIMIT} ASCII characters.`,
    );
  }
  const use = cloud.tokens.get(token);
  if (use === undefined) return undefined;
  if (use.fingerprint !== fingerprint) {
    throw new Ec2Error(
      "IdempotentParameterMismatch",
      `Arguments on this idempotent request are inconsistent with arguments used in previous request(s) with client token ${token}.`,
    );
  }
  return findInstances(cloud, use.instanceIds);
}

function check(cloud: Cloud, request: LaunchRequest): Image {
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
  return image;
}

function chooseSubnet(cloud: Cloud, { subnetId, zone }: LaunchRequest): Subnet {
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

function checkCapacity(cloud: Cloud, request: LaunchRequest, zone: string): void {
  if (cloud.addresses.kind === "pool") return;
  // One address means one listening port, so one machine; EC2's own way to say so.
  const living = [...cloud.instances.values()].some(
    (instance) => !["terminated", "stopped"].includes(currentState(instance).state),
  );
  if (living || request.maxCount > 1) throw noCapacity(request.instanceType, zone);
}

interface Place {
  readonly image: Image;
  readonly subnet: Subnet;
  readonly reservationId: string;
  readonly index: number;
}

function createInstance(cloud: Cloud, request: LaunchRequest, place: Place): Instance {
  const { image, subnet } = place;
  const instance: Instance = {
    id: cloud.newId("i"),
    reservationId: place.reservationId,
    imageId: image.id,
    instanceType: request.instanceType,
    keyName: request.keyName,
    subnetId: subnet.id,
    zone: subnet.zone,
    securityGroupIds: request.securityGroupIds?.length ? request.securityGroupIds : [DEFAULT_GROUP_ID],
    hasPublicAddress: request.associatePublicIpAddress ?? true,
    metadataOptions: { ...METADATA_DEFAULTS, ...request.metadataOptions },
    iamInstanceProfile: request.iamInstanceProfile,
    userData: request.userData,
    clientToken: request.clientToken,
    launchIndex: place.index,
    rootDevice: image.rootDevice,
    fate: request.fate ?? { kind: "normal" },
    launchTime: cloud.now(),
    address: cloud.newAddress(),
    shutdownBehavior: request.shutdownBehavior ?? "stop",
    terminationProtected: request.terminationProtected ?? false,
    tags: { ...request.instanceTags },
    history: [],
  };
  cloud.instances.set(instance.id, instance);
  enter(cloud, instance, "pending");
  for (const device of launchDevices(image, request.devices ?? [])) {
    const volume = createVolume(cloud, { ...device, zone: subnet.zone, tags: request.volumeTags ?? {} });
    hold(cloud, volume, instance, device.device, "attached", device.deleteOnTermination);
  }
  beginBoot(cloud, instance);
  return instance;
}

/** The image's own root device, which a mapping of the same name overrides, and the others asked for. */
function launchDevices(image: Image, asked: readonly LaunchDevice[]): readonly LaunchDevice[] {
  if (asked.some(({ device }) => device === image.rootDevice)) return asked;
  return [
    { device: image.rootDevice, size: image.rootSize, type: "gp3", deleteOnTermination: true },
    ...asked,
  ];
}
