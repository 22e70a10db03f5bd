import type { VolumeAttachment } from "@aws-sdk/client-ec2";
import type { AwsEc2Target } from "../../config/types.ts";
import { LazysshError, messageOf } from "../../util/errors.ts";
import type { Progress } from "../provider.ts";
import type { Ec2 } from "./client.ts";
import { type IdentifiedInstance, machineOf } from "./machine.ts";
import { assertOutlives } from "./outlive.ts";
import {
  attachmentTo,
  type KnownVolume,
  lookAtVolumes,
  obstacleOf,
  progressOf,
  zoneMismatch,
} from "./volumes.ts";

export interface AttachContext {
  readonly ec2: Ec2;
  readonly target: AwsEc2Target;
  readonly describe: (id: string, signal: AbortSignal) => Promise<IdentifiedInstance>;
  readonly signal: AbortSignal;
}

/**
 * Attaches every persistent volume that is free, and says what the others wait for. Never by force: a volume that
 * another instance holds may be mounted there.
 * Source: EC2 API reference, AttachVolume.
 */
export async function attachVolumes(context: AttachContext, instance: string): Promise<Progress> {
  const { ec2, target, signal } = context;
  const obstacles: (string | undefined)[] = [];
  for (const known of await lookAtVolumes(ec2, target, signal)) {
    obstacles.push(await attachOne(context, instance, known));
  }
  return progressOf(obstacles);
}

async function attachOne(
  context: AttachContext,
  instance: string,
  known: KnownVolume,
): Promise<string | undefined> {
  const { ec2, target, signal } = context;
  const { volumeId, deviceName } = known.wanted;
  const already = attachmentTo(known.volume, instance);
  if (already) {
    assertOutlives(already, volumeId, instance, target);
    // A cloud that tells no state of the attachment lists it once it stands.
    const state = already.State ?? "attached";
    return state === "attached" ? undefined : `${volumeId} is ${state} (${instance}, ${deviceName})`;
  }
  const obstacle = obstacleOf(known, target);
  if (obstacle !== undefined) return obstacle;
  let attachment: VolumeAttachment;
  try {
    attachment = await ec2.attachVolume(
      { VolumeId: volumeId, InstanceId: instance, Device: deviceName },
      signal,
    );
  } catch (error) {
    return refused(context, instance, known, error);
  }
  assertOutlives(attachment, volumeId, instance, target);
  if (attachment.State === "attached") return undefined;
  return `${volumeId} is ${attachment.State ?? "attaching"} (${instance}, ${deviceName})`;
}

/** What a refusal means: something to wait for, or the end. */
async function refused(
  context: AttachContext,
  instance: string,
  { wanted, volume }: KnownVolume,
  error: unknown,
): Promise<string> {
  const { ec2, target, signal, describe } = context;
  const { volumeId } = wanted;
  const code = error instanceof LazysshError ? error.code : undefined;
  if (code === "NOT_READY") {
    const { phase, reason = "no reason given" } = machineOf(await describe(instance, signal), target.address);
    if (phase === "pending") return `${volumeId} cannot be attached yet: ${instance} is pending`;
    // Then it is the volume's state, for example while it grows; the cloud says it best.
    if (phase === "running") return `${volumeId} cannot be attached yet: ${messageOf(error)}`;
    throw new LazysshError("MACHINE_DIED", `target ${target.name}: ${instance} is ${phase}: ${reason}`, {
      cause: error,
    });
  }
  if (code === "VOLUME_BUSY") {
    // Somebody was faster since we looked; say who.
    const again = (await lookAtVolumes(ec2, target, signal)).find((known) => known.wanted === wanted);
    const obstacle = again && obstacleOf(again, target);
    return obstacle ?? `${volumeId} was just taken by another instance`;
  }
  if (code === "VOLUME_MISMATCH" && volume.AvailabilityZone) {
    const { Placement } = await describe(instance, signal);
    throw zoneMismatch(target, volumeId, volume.AvailabilityZone, Placement?.AvailabilityZone, error);
  }
  throw error;
}
