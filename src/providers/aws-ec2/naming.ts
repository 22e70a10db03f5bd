import type { AwsEc2Target } from "../../config/types.ts";

/** What is started, for people: `t4g.nano (spot)`, or a machine of the launch template that says it. */
export function typeText(target: AwsEc2Target): string {
  const type = target.instanceTypes[0] ?? `machine of ${templateText(target)}`;
  return target.spot ? `${type} (spot)` : type;
}

/** The same with the subnet, where it is decided: `t4g.nano (spot) in subnet-1`. */
export function orderText(order: AwsEc2Target): string {
  const [subnet, another] = order.subnetIds;
  const decided = subnet !== undefined && another === undefined;
  return decided ? `${typeText(order)} in ${subnet}` : typeText(order);
}

/** The image of a target, for people. */
export function imageText(target: AwsEc2Target): string {
  const { imageId, image } = target;
  if (imageId !== undefined) return `image ${imageId}`;
  if (image) return `image "${image.name}" of ${image.owners.join(", ")}`;
  return `the image of ${templateText(target)}`;
}

export function keyText(target: AwsEc2Target): string {
  return target.keyName === undefined
    ? `the key pair of ${templateText(target)}`
    : `key pair ${target.keyName}`;
}

export function templateText({ launchTemplate }: AwsEc2Target): string {
  const version = launchTemplate?.version === undefined ? "" : ` version ${launchTemplate.version}`;
  return `launch template ${launchTemplate?.id ?? launchTemplate?.name ?? "(none)"}${version}`;
}
