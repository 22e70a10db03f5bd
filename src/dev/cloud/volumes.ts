import type { Cloud } from "./cloud.ts";
import { Ec2Error } from "./error.ts";
import { findInstance, findVolume } from "./lookup.ts";
import { SUBNETS } from "./region.ts";
import { type Attachment, currentState, type Instance, type Tags, type Volume } from "./state.ts";

/** GiB, smallest and largest by type (EC2 user guide, "Amazon EBS volume types"). */
const SIZES: ReadonlyMap<string, readonly [number, number]> = new Map([
  ["standard", [1, 1024]],
  ["gp2", [1, 16384]],
  ["gp3", [1, 16384]],
  ["io1", [4, 16384]],
  ["io2", [4, 65536]],
  ["st1", [125, 16384]],
  ["sc1", [125, 16384]],
]);

export interface VolumeSpec {
  readonly zone: string;
  /** GiB. */
  readonly size: number;
  readonly type: string;
  readonly iops?: number | undefined;
  readonly throughput?: number | undefined;
  readonly encrypted?: boolean | undefined;
  readonly kmsKeyId?: string | undefined;
  readonly snapshotId?: string | undefined;
  readonly tags?: Tags;
}

/** @throws Ec2Error for an unknown type, or a size outside the type's limits. */
export function checkVolumeSpec(spec: Pick<VolumeSpec, "size" | "type">): void {
  const limits = SIZES.get(spec.type);
  if (limits === undefined) {
    throw new Ec2Error("UnknownVolumeType", `Unsupported volume type '${spec.type}' for volume creation.`);
  }
  const [least, most] = limits;
  if (!Number.isInteger(spec.size) || spec.size < least || spec.size > most) {
    const side = spec.size > most ? `must be at most ${most}` : `must be at least ${least}`;
    throw new Ec2Error(
      "InvalidParameterValue",
      `Volume of ${spec.size}GiB is invalid; a ${spec.type} volume ${side} GiB.`,
    );
  }
}

/** A new volume, `available` at once. */
export function createVolume(cloud: Cloud, spec: VolumeSpec): Volume {
  checkVolumeSpec(spec);
  if (!SUBNETS.some((subnet) => subnet.zone === spec.zone)) {
    throw new Ec2Error("InvalidParameterValue", `The zone '${spec.zone}' does not exist.`);
  }
  const volume: Volume = {
    id: cloud.newId("vol"),
    zone: spec.zone,
    size: spec.size,
    type: spec.type,
    iops: spec.iops,
    throughput: spec.throughput,
    encrypted: spec.encrypted ?? false,
    kmsKeyId: spec.kmsKeyId,
    snapshotId: spec.snapshotId,
    createTime: cloud.now(),
    state: "available",
    attachment: undefined,
    tags: { ...spec.tags },
  };
  cloud.volumes.set(volume.id, volume);
  cloud.emit({ type: "volume.created", volume: volume.id });
  return volume;
}

export function deleteVolume(cloud: Cloud, id: string): void {
  const volume = findVolume(cloud, id);
  if (volume.attachment !== undefined) {
    throw new Ec2Error(
      "VolumeInUse",
      `Volume ${id} is currently attached to ${volume.attachment.instanceId}`,
    );
  }
  cloud.volumes.delete(id);
  cloud.emit({ type: "volume.deleted", volume: id });
}

/**
 * Attaches a volume of the same zone to a running or stopped instance: `attaching`, then `attached`.
 *
 * @throws Ec2Error `IncorrectState`, `VolumeInUse`, `InvalidVolume.ZoneMismatch`, `InvalidParameterValue` (device).
 */
export function attachVolume(
  cloud: Cloud,
  volumeId: string,
  instanceId: string,
  device: string,
  afterMs = cloud.delays.attachMs,
): Attachment {
  const volume = findVolume(cloud, volumeId);
  const instance = findInstance(cloud, instanceId);
  if (volume.attachment !== undefined) {
    throw new Ec2Error("VolumeInUse", `${volumeId} is already attached to an instance`);
  }
  const { state } = currentState(instance);
  if (state !== "running" && state !== "stopped") {
    throw new Ec2Error("IncorrectState", `Instance '${instanceId}' is not 'running'.`);
  }
  if (volume.zone !== instance.zone) {
    throw new Ec2Error(
      "InvalidVolume.ZoneMismatch",
      `The volume '${volumeId}' is not in the same availability zone as instance '${instanceId}'`,
    );
  }
  if (!/^(?:\/dev\/)?(?:sd|xvd|hd)[a-z]{1,2}[0-9]{0,2}$/.test(device)) {
    throw new Ec2Error(
      "InvalidParameterValue",
      `Value (${device}) for parameter device is invalid. ${device} is not a valid EBS device name.`,
    );
  }
  if (cloud.attachedTo(instanceId).some((other) => other.attachment?.device === device)) {
    throw new Ec2Error(
      "InvalidParameterValue",
      `Invalid value '${device}' for unixDevice. Attachment point ${device} is already in use`,
    );
  }
  const attachment = hold(cloud, volume, instance, device, "attaching", false);
  cloud.schedule(afterMs, () => {
    if (volume.attachment === attachment && attachment.state === "attaching") {
      attachment.state = "attached";
      emitAttachment(cloud, volume, attachment, "attached");
    }
  });
  return attachment;
}

/** Ties a volume to an instance; the caller has checked that it may. */
export function hold(
  cloud: Cloud,
  volume: Volume,
  instance: Instance,
  device: string,
  state: "attaching" | "attached",
  deleteOnTermination: boolean,
): Attachment {
  const attachment: Attachment = {
    instanceId: instance.id,
    device,
    attachTime: cloud.now(),
    deleteOnTermination,
    state,
  };
  volume.attachment = attachment;
  volume.state = "in-use";
  emitAttachment(cloud, volume, attachment, state);
  return attachment;
}

/** DetachVolume: `detaching`, then `available`. @throws Ec2Error `IncorrectState`, `InvalidAttachment.NotFound`. */
export function detachVolume(
  cloud: Cloud,
  volumeId: string,
  instanceId: string | undefined,
  afterMs = cloud.delays.detachMs,
): Attachment {
  const volume = findVolume(cloud, volumeId);
  const { attachment } = volume;
  if (attachment === undefined) {
    throw new Ec2Error("IncorrectState", `Volume '${volumeId}' is in the 'available' state.`);
  }
  if (instanceId !== undefined && attachment.instanceId !== findInstance(cloud, instanceId).id) {
    throw new Ec2Error(
      "InvalidAttachment.NotFound",
      `The volume '${volumeId}' is not attached to instance '${instanceId}'.`,
    );
  }
  letGo(cloud, volume, attachment, afterMs);
  return attachment;
}

/** What the end of an instance does to the volumes it holds: they come free, or go with it. */
export function releaseVolumes(cloud: Cloud, { id, detachMs = cloud.delays.detachMs }: Instance): void {
  for (const volume of cloud.attachedTo(id)) {
    const { attachment } = volume;
    if (attachment === undefined) continue;
    if (attachment.deleteOnTermination) {
      emitAttachment(cloud, volume, attachment, "detached");
      cloud.volumes.delete(volume.id);
      cloud.emit({ type: "volume.deleted", volume: volume.id });
    } else {
      letGo(cloud, volume, attachment, detachMs);
    }
  }
}

function letGo(cloud: Cloud, volume: Volume, attachment: Attachment, afterMs: number): void {
  if (attachment.state === "detaching") return;
  attachment.state = "detaching";
  emitAttachment(cloud, volume, attachment, "detaching");
  cloud.schedule(afterMs, () => {
    if (volume.attachment !== attachment) return;
    volume.attachment = undefined;
    volume.state = "available";
    emitAttachment(cloud, volume, attachment, "detached");
  });
}

function emitAttachment(
  cloud: Cloud,
  volume: Volume,
  attachment: Attachment,
  state: Attachment["state"] | "detached",
): void {
  const { instanceId: instance, device } = attachment;
  cloud.emit({ type: "volume.attachment", volume: volume.id, instance, device, state });
}
