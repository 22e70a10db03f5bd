import type { Volume, VolumeAttachment } from "@aws-sdk/client-ec2";
import type { AttachVolume, AwsEc2Target } from "../../config/types.ts";
import { LazysshError } from "../../util/errors.ts";
import type { Progress, VolumeInfo } from "../provider.ts";
import type { Ec2 } from "./client.ts";

/** States that a volume never leaves to become available. */
const USELESS: ReadonlySet<string> = new Set(["deleting", "deleted", "error"]);

/** A volume of the config together with what the cloud says of it. */
export interface KnownVolume {
  readonly wanted: AttachVolume;
  readonly volume: Volume;
}

/**
 * Looks at the target's persistent volumes, in the order of the config; without any, asks nothing.
 *
 * @throws LazysshError `BAD_REQUEST` when one does not exist.
 */
export async function lookAtVolumes(
  ec2: Ec2,
  target: AwsEc2Target,
  signal: AbortSignal,
): Promise<KnownVolume[]> {
  const ids = target.attachVolumes.map(({ volumeId }) => volumeId);
  if (ids.length === 0) return [];
  const { Volumes: found = [] } = await ec2.describeVolumes({ VolumeIds: ids }, signal);
  return target.attachVolumes.map((wanted) => {
    const volume = found.find(({ VolumeId }) => VolumeId === wanted.volumeId);
    if (volume) return { wanted, volume };
    throw new LazysshError(
      "BAD_REQUEST",
      `target ${target.name}: volume ${wanted.volumeId} does not exist; check attach_volume`,
    );
  });
}

/** A volume for people. */
export function volumeInfo({ wanted, volume }: KnownVolume): VolumeInfo {
  return {
    id: wanted.volumeId,
    state: volume.State ?? "unknown",
    sizeGiB: volume.Size,
    type: volume.VolumeType,
    holders: holdersOf(volume),
  };
}

/** Ids of the instances that hold the volume. */
export function holdersOf(volume: Volume): string[] {
  return attachmentsOf(volume).flatMap(({ InstanceId }) => InstanceId || []);
}

/** What the volumes that are not free wait for, as progress. */
export function progressOf(obstacles: readonly (string | undefined)[]): Progress {
  const left = obstacles.filter((obstacle) => obstacle !== undefined);
  return left.length === 0 ? { done: true } : { done: false, waitingFor: left.join("; ") };
}

/**
 * What keeps a volume from being attached; undefined when it is free.
 * Source: EC2 user guide, "Volume state": creating, available, in-use, deleting, deleted, error.
 *
 * @throws LazysshError `BAD_REQUEST` when it never will be free, `VOLUME_MISMATCH` when it is in another zone than
 *   the one that the target is placed in.
 */
export function obstacleOf({ wanted, volume }: KnownVolume, target: AwsEc2Target): string | undefined {
  const { volumeId } = wanted;
  const zone = volume.AvailabilityZone;
  if (zone && target.availabilityZone !== undefined && zone !== target.availabilityZone) {
    throw zoneMismatch(target, volumeId, zone, target.availabilityZone);
  }
  const { State: state = "in an unknown state" } = volume;
  if (state === "available") return undefined;
  if (USELESS.has(state)) {
    throw new LazysshError(
      "BAD_REQUEST",
      `target ${target.name}: volume ${volumeId} is of no use, the cloud calls it "${state}"; check attach_volume`,
    );
  }
  const holders = attachmentsOf(volume).map(describeHolder);
  return holders.length === 0
    ? `${volumeId} is ${state}`
    : `${volumeId} is ${state} by ${holders.join(" and ")}`;
}

/** How the volume is attached to the instance, when it is. */
export function attachmentTo(volume: Volume, instance: string): VolumeAttachment | undefined {
  return attachmentsOf(volume).find(({ InstanceId }) => InstanceId === instance);
}

export function zoneMismatch(
  target: AwsEc2Target,
  volumeId: string,
  volumeZone: string | undefined,
  machineZone: string | undefined,
  cause?: unknown,
): LazysshError {
  return new LazysshError(
    "VOLUME_MISMATCH",
    `target ${target.name}: volume ${volumeId} is in zone ${volumeZone || "(unknown)"}, the machine in ` +
      `${machineZone || "(unknown)"}; set placement { availability_zone } (or subnet_id) to the volume's zone`,
    { cause },
  );
}

/** A volume that was detached may still be listed with the attachment it had. */
function attachmentsOf(volume: Volume): VolumeAttachment[] {
  return (volume.Attachments ?? []).filter(({ State }) => State !== "detached");
}

function describeHolder({ InstanceId, Device, State }: VolumeAttachment): string {
  const details = [Device, State === "attached" ? undefined : State].filter(Boolean).join(", ");
  const holder = InstanceId || "an unknown instance";
  return details === "" ? holder : `${holder} (${details})`;
}
