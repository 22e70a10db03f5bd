import type { AwsEc2Target } from "../../config/types.ts";

/** The `aws` command by which a person ends a machine; by launch token, the one that finds it, while no id is known. */
export function remedyFor(target: AwsEc2Target, id: string | undefined, token: string): string {
  const options = [
    ...(target.region === undefined ? [] : ["--region", target.region]),
    ...(target.profile === undefined ? [] : ["--profile", target.profile]),
    ...(target.endpoint === undefined ? [] : ["--endpoint-url", target.endpoint]),
  ];
  const command =
    id === undefined
      ? ["describe-instances", "--filters", `Name=client-token,Values=${token}`]
      : ["terminate-instances", "--instance-ids", id];
  return ["aws", "ec2", ...command, ...options].map(quote).join(" ");
}

/** A word as a POSIX shell takes it unchanged. */
function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
