import type { AwsEc2Target } from "../../config/types.ts";
import { quoteWhereNeeded } from "../../util/shell.ts";
import type { EndangeredVolume } from "./outlive.ts";
import { TAG } from "./tags.ts";

/**
 * The `aws` command by which a person ends a machine; by launch token, the one that finds it, while no id is known.
 * Volumes that would be deleted with the machine are saved first.
 */
export function remedyFor(
  target: AwsEc2Target,
  id: string | undefined,
  token: string,
  endangered: readonly EndangeredVolume[] = [],
): string {
  const aws = (...words: string[]): string =>
    quoteWhereNeeded(["aws", "ec2", ...words, ...optionsFor(target)]);
  // By the tag, for the client token is another one with each alternative.
  if (id === undefined)
    return aws("describe-instances", "--filters", `Name=tag:${TAG.launch},Values=${token}`);
  const terminate = aws("terminate-instances", "--instance-ids", id);
  if (endangered.length === 0) return terminate;
  const keep = endangered.map(({ device }) => ({ DeviceName: device, Ebs: { DeleteOnTermination: false } }));
  const mappings = JSON.stringify(keep);
  const save = aws("modify-instance-attribute", "--instance-id", id, "--block-device-mappings", mappings);
  return `${save} && ${terminate}`;
}

function optionsFor(target: AwsEc2Target): string[] {
  return [
    ...(target.region === undefined ? [] : ["--region", target.region]),
    ...(target.profile === undefined ? [] : ["--profile", target.profile]),
    ...(target.endpoint === undefined ? [] : ["--endpoint-url", target.endpoint]),
  ];
}
