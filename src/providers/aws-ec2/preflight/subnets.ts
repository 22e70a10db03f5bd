import type { Inquiry } from "./inquiry.ts";
import type { Placed } from "./zones.ts";

/**
 * Do the subnets exist, and have they addresses left?
 * Source: EC2 API reference, DescribeSubnets and Subnet.
 *
 * @returns The zones of those that exist.
 */
export async function lookAtSubnets(inquiry: Inquiry): Promise<Placed[]> {
  const { ec2, target, signal } = inquiry;
  const placed: Placed[] = [];
  for (const id of target.subnetIds) {
    // One by one, so that the one that does not exist is named, and does not hide the others.
    const order = { ...target, subnetIds: [id] };
    const look = await inquiry.optional(
      "whether the subnets are in the right zones",
      ec2.describeSubnets({ SubnetIds: [id] }, signal, order),
    );
    if (look.error) continue;
    const subnet = look.value.Subnets?.find(({ SubnetId }) => SubnetId === id);
    if (!subnet) {
      inquiry.add({
        severity: "error",
        text: `target ${target.name}: subnet ${id} does not exist; check subnet_id`,
      });
      continue;
    }
    placed.push({ id, zone: subnet.AvailabilityZone });
    // An IPv6-only subnet has no IPv4 addresses to count.
    if (subnet.AvailableIpAddressCount === 0 && subnet.Ipv6Native !== true) {
      inquiry.add({
        severity: "warning",
        text: `target ${target.name}: subnet ${id} has no free address left; end something in it, or name another one`,
      });
    }
  }
  return placed;
}
