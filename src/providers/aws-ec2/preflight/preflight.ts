import type { Finding } from "../../provider.ts";
import { searchInstances } from "../instances.ts";
import { isOwn } from "../machine.ts";
import { ownFilters } from "../request.ts";
import { TAG, tagOf } from "../tags.ts";
import { imageToOrder } from "./image.ts";
import { createInquiry, type PreflightContext } from "./inquiry.ts";
import { tryOrders } from "./order.ts";
import { lookAtSubnets } from "./subnets.ts";
import { inspectVolumes } from "./volumes.ts";
import { zoneFindings } from "./zones.ts";

/** After these, whatever else is asked gets the same answer. */
const HOPELESS: ReadonlySet<string> = new Set([
  "CREDENTIALS",
  "CLOUD_UNREACHABLE",
  "CLOUD_ERROR",
  "BAD_REQUEST",
  "THROTTLED",
]);

/**
 * Everything that is found to speak against a start, without starting anything. What may not be looked at is a warning, unless
 * the server itself has to look at it. Throws only the reason of an aborted signal.
 */
export async function preflight(context: PreflightContext, signal: AbortSignal): Promise<Finding[]> {
  const { ec2, target, owner } = context;
  signal.throwIfAborted();
  const inquiry = createInquiry(context, signal);
  const own = await inquiry.needed(
    searchInstances(ec2, { Filters: ownFilters(owner, { gone: false }) }, signal),
  );
  if (own.error && HOPELESS.has(own.error.code)) return inquiry.findings();

  const machines = (own.value ?? [])
    .filter((instance) => isOwn(instance, owner) && tagOf(instance.Tags, TAG.target) === target.name)
    .map(({ InstanceId }) => InstanceId);
  const volumes = await inspectVolumes(inquiry, new Set(machines));
  const subnets = await lookAtSubnets(inquiry);
  inquiry.add(...zoneFindings(target, volumes, subnets));
  if (target.spot) {
    const Filters = [{ Name: `tag:${TAG.owner}`, Values: [owner] }];
    await inquiry.optional(
      "that EC2 takes spot machines back",
      ec2.describeSpotInstanceRequests({ Filters }, signal),
    );
  }
  const image = await imageToOrder(inquiry);
  if (image.known) await tryOrders(inquiry, image.imageId);
  return inquiry.findings();
}
