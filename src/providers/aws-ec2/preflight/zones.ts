import type { AwsEc2Target } from "../../../config/types.ts";
import type { Finding } from "../../provider.ts";
import { zoneMismatch } from "../volumes.ts";

/** A volume or a subnet, and where it is. */
export interface Placed {
  readonly id: string;
  readonly zone: string | undefined;
}

/** Where volumes, subnets and `placement` do not agree. A volume can only be attached in its own zone. */
export function zoneFindings(
  target: AwsEc2Target,
  volumes: readonly Placed[],
  subnets: readonly Placed[],
): Finding[] {
  const { name, availabilityZone: placement } = target;
  const [first, ...others] = volumes;
  const texts = [
    ...others
      .filter((volume) => first && differ(volume.zone, first.zone))
      .map(
        (volume) =>
          `target ${name}: volume ${first?.id} is in zone ${first?.zone}, volume ${volume.id} in ${volume.zone}; no machine ` +
          "can hold both: take one out of attach_volume, or copy it to the other zone by a snapshot",
      ),
    ...volumes
      .filter(({ zone }) => differ(zone, placement))
      .map(({ id, zone }) => zoneMismatch(target, id, zone, placement).message),
    ...subnets
      .filter(({ zone }) => differ(zone, placement))
      .map(
        ({ id, zone }) =>
          `target ${name}: subnet ${id} is in zone ${zone}, placement says ${placement}; take placement out, or set ` +
          `subnet_id to one in ${placement}`,
      ),
    ...volumes.flatMap((volume) =>
      subnets
        .filter(({ zone }) => differ(zone, volume.zone))
        .map(
          (subnet) =>
            `target ${name}: volume ${volume.id} is in zone ${volume.zone}, subnet ${subnet.id} in ${subnet.zone}; set ` +
            `subnet_id to one in ${volume.zone}`,
        ),
    ),
  ];
  const errors = texts.map((text): Finding => ({ severity: "error", text }));
  return [...errors, ...undecided(target, first)];
}

/** A volume whose machine EC2 may place anywhere. */
function undecided(target: AwsEc2Target, volume: Placed | undefined): Finding[] {
  const { availabilityZone, subnetIds, launchTemplate, name } = target;
  // The template may decide it.
  const decided = availabilityZone !== undefined || subnetIds.length > 0 || launchTemplate !== undefined;
  if (decided || !volume?.zone) return [];
  const text =
    `target ${name}: volume ${volume.id} is in zone ${volume.zone}, and the machine may start in another one; ` +
    `set placement { availability_zone = "${volume.zone}" }`;
  return [{ severity: "warning", text }];
}

/** What is not known does not differ. */
function differ(one: string | undefined, other: string | undefined): boolean {
  return Boolean(one) && Boolean(other) && one !== other;
}
