import { LazysshError } from "../../../util/errors.ts";
import { holdersOf, type KnownVolume, lookAtVolumes, obstacleOf } from "../volumes.ts";
import type { Inquiry } from "./inquiry.ts";
import type { Placed } from "./zones.ts";

/**
 * Do the volumes exist, and could they be attached?
 *
 * @param machines Ids of the target's own machines: what these hold is not held by something else.
 * @returns The zones of those that exist.
 */
export async function inspectVolumes(
  inquiry: Inquiry,
  machines: ReadonlySet<string | undefined>,
): Promise<Placed[]> {
  const { ec2, target, signal } = inquiry;
  const placed: Placed[] = [];
  for (const wanted of target.attachVolumes) {
    // One by one, so that a volume that is gone does not hide the others.
    const look = await inquiry.needed(lookAtVolumes(ec2, { ...target, attachVolumes: [wanted] }, signal));
    for (const known of look.value ?? []) {
      placed.push({ id: wanted.volumeId, zone: known.volume.AvailabilityZone });
      inspect(inquiry, known, machines);
    }
  }
  return placed;
}

function inspect(inquiry: Inquiry, known: KnownVolume, machines: ReadonlySet<string | undefined>): void {
  const holders = holdersOf(known.volume);
  if (holders.length > 0 && holders.every((holder) => machines.has(holder))) return;
  try {
    // Zones are compared by themselves, each with each.
    const obstacle = obstacleOf(known, { ...inquiry.target, availabilityZone: undefined });
    if (obstacle === undefined) return;
    inquiry.add({
      severity: "warning",
      text: `target ${inquiry.target.name}: ${obstacle}; a start would wait until it is free`,
    });
  } catch (error) {
    if (!(error instanceof LazysshError)) throw error;
    inquiry.add({ severity: "error", text: error.message });
  }
}
