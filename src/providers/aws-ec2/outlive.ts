import type { VolumeAttachment } from "@aws-sdk/client-ec2";
import type { AwsEc2Target } from "../../config/types.ts";
import { LazysshError } from "../../util/errors.ts";
import type { Ec2 } from "./client.ts";
import { attachmentTo, lookAtVolumes } from "./volumes.ts";

/** A persistent volume that the cloud would delete together with an instance. */
export interface EndangeredVolume {
  readonly volumeId: string;
  readonly device: string;
}

/**
 * The persistent volumes that would not outlive the instance. Volumes attached after the launch do, unless somebody
 * changed that behind our back.
 * Source: EC2 user guide, "Preserve data when an instance is terminated".
 */
export async function endangeredWith(
  instance: string,
  ec2: Ec2,
  target: AwsEc2Target,
  signal: AbortSignal,
): Promise<EndangeredVolume[]> {
  const found = await Promise.all(
    target.attachVolumes.map(async (wanted) => {
      // One by one, so that a volume that is gone does not hide the others.
      const one = { ...target, attachVolumes: [wanted] };
      const [known] = await lookAtVolumes(ec2, one, signal).catch((error: unknown) => {
        if (error instanceof LazysshError && error.code === "BAD_REQUEST") return [];
        throw error;
      });
      const attachment = known && attachmentTo(known.volume, instance);
      if (attachment?.DeleteOnTermination !== true) return [];
      return [{ volumeId: wanted.volumeId, device: attachment.Device || wanted.deviceName }];
    }),
  );
  return found.flat();
}

/**
 * Makes sure that a volume just attached will outlive the instance.
 *
 * @throws LazysshError `VOLUME_MISMATCH` when the cloud says that it would be deleted with it.
 */
export function assertOutlives(
  attachment: VolumeAttachment,
  volumeId: string,
  instance: string,
  target: AwsEc2Target,
): void {
  if (attachment.DeleteOnTermination === true) throw wouldBeDeleted(volumeId, instance, target);
}

export function wouldBeDeleted(volumeId: string, instance: string, target: AwsEc2Target): LazysshError {
  return new LazysshError(
    "VOLUME_MISMATCH",
    `target ${target.name}: volume ${volumeId} would be DELETED together with ${instance} (DeleteOnTermination is true), ` +
      `so ${instance} is neither used nor terminated. Set DeleteOnTermination to false with "aws ec2 ` +
      `modify-instance-attribute", or detach the volume; then it goes on by itself`,
  );
}
