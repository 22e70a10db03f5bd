import type { AwsEc2Target } from "../../config/types.ts";
import type { ProviderShape } from "../lazy.ts";
import { alternativesOf } from "./alternatives.ts";
import { orderText, typeText } from "./naming.ts";
import { remedyFor } from "./remedy.ts";

/** What is known of a target's machines without EC2. */
export function awsEc2Shape(target: AwsEc2Target): ProviderShape {
  return {
    type: "aws_ec2",
    summary: `${typeText(target)} in ${target.availabilityZone ?? target.region ?? "the default region"}`,
    hasVolumes: target.attachVolumes.length > 0,
    alternatives: alternativesOf(target).map(orderText),
    remedy: (id, token) => remedyFor(target, id, token, undefined),
  };
}
