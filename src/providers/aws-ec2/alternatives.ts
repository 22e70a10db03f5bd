import type { AwsEc2Target } from "../../config/types.ts";

/**
 * As many as one DescribeInstances can look for by their tokens. Source: EC2 API reference, Filter ("up to 200 values").
 * What is beyond is not ordered: it could not be found again.
 */
const MOST = 200;

/**
 * The ways to order a machine of the target, in the order of preference: by market, then by type, then by subnet. Each is the
 * target with at most one type and one subnet, and with `spot` only when spot capacity is meant.
 */
export function alternativesOf(target: AwsEc2Target): readonly AwsEc2Target[] {
  const { spot } = target;
  const markets = spot && spot.fallback === "on-demand" ? [spot, undefined] : [spot];
  return markets
    .flatMap((market) =>
      each(target.instanceTypes).flatMap((instanceTypes) =>
        each(target.subnetIds).map((subnetIds) => ({ ...target, spot: market, instanceTypes, subnetIds })),
      ),
    )
    .slice(0, MOST);
}

/**
 * The idempotency token of one alternative. EC2 takes 64 characters, and refuses one token with two sets of parameters.
 * Source: EC2 API reference, "Ensuring idempotency".
 */
export function clientToken(token: string, alternative: number): string {
  return alternative === 0 ? token : `${token}-${alternative}`;
}

/** One by one; an empty list leaves the choice to the cloud, which is one alternative. */
function each(list: readonly string[]): readonly (readonly string[])[] {
  return list.length === 0 ? [[]] : list.map((one) => [one]);
}
