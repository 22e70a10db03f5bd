import type { Cloud } from "./cloud.ts";
import { Ec2Error, noCapacity } from "./error.ts";
import { checkLaunch, chooseSubnet, type LaunchDevice, type LaunchRequest } from "./launch-request.ts";
import { beginBoot, enter } from "./life.ts";
import { DEFAULT_GROUP_ID, type Image, type Subnet } from "./region.ts";
import { openSpotRequest } from "./spot.ts";
import { currentState, type Instance, type MetadataOptions } from "./state.ts";
import { createVolume, hold } from "./volumes.ts";

/** EC2 user guide, "Instance metadata options": what holds when neither account nor image says otherwise. */
const METADATA_DEFAULTS: MetadataOptions = {
  httpTokens: "optional",
  httpPutResponseHopLimit: 1,
  httpEndpoint: "enabled",
  instanceMetadataTags: "disabled",
};
const TOKEN_LIMIT = 64;

/**
 * RunInstances: makes the instances, `pending`, and sets their boot going. The same token answers the same ones.
 *
 * @throws Ec2Error for whatever EC2 refuses, before anything is made.
 */
export function launch(cloud: Cloud, request: LaunchRequest): Instance[] {
  const { clientToken: token } = request;
  if (token !== undefined) {
    const before = recall(cloud, token, request);
    if (before !== undefined) return before;
  }
  const image = checkLaunch(cloud, request);
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

/**
 * The instances that the token has made. Once they are terminated the token is spent, and refused: since January 2025
 * (boto3 issue 4406), and as the API reference has it under "Error codes"; before, they were answered again.
 */
function recall(cloud: Cloud, token: string, request: LaunchRequest): Instance[] | undefined {
  if (token.length > TOKEN_LIMIT || !/^[\x20-\x7e]*$/.test(token)) {
    throw new Ec2Error(
      "InvalidParameterValue",
      `Value (${token}) for parameter clientToken is invalid. It must be at most ${TOKEN_LIMIT} ASCII characters.`,
    );
  }
  const use = cloud.tokens.get(token);
  if (use === undefined) return undefined;
  if (use.fingerprint !== request.fingerprint) {
    throw new Ec2Error(
      "IdempotentParameterMismatch",
      `Arguments on this idempotent request are inconsistent with arguments used in previous request(s) with client token ${token}.`,
    );
  }
  const made = use.instanceIds.flatMap((id) => cloud.instances.get(id) ?? []);
  const isSpent = made.every((instance) => currentState(instance).state === "terminated");
  if (isSpent && !(request.replaysTerminated && made.length > 0)) {
    throw new Ec2Error(
      "IdempotentInstanceTerminated",
      "The client token you have provided is associated with a terminated instance. Please use a different client token.",
    );
  }
  return made;
}

function checkCapacity(cloud: Cloud, request: LaunchRequest, zone: string): void {
  if (request.refusal !== undefined) throw request.refusal;
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
  const spotRequestId = request.spot && cloud.newSpotRequestId();
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
    spotRequestId,
    hibernates: request.hibernates ?? false,
    launchTime: cloud.now(),
    address: cloud.newAddress(),
    shutdownBehavior: request.shutdownBehavior ?? "stop",
    terminationProtected: request.terminationProtected ?? false,
    tags: { ...request.instanceTags },
    detachMs: undefined,
    history: [],
  };
  cloud.instances.set(instance.id, instance);
  const { id, instanceType, tags } = instance;
  const spot = spotRequestId !== undefined;
  cloud.emit({ type: "instance.launched", instance: id, instanceType, subnet: subnet.id, spot, tags });
  if (spotRequestId !== undefined && request.spot) openSpotRequest(cloud, spotRequestId, id, request.spot);
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
