import type { Ec2 } from "./client.ts";
import type { IdentifiedInstance } from "./machine.ts";

/** What EC2 is about to do, or did, by the status code of the spot request. Its own user's doings are no notice. */
const NOTICES: readonly (readonly [RegExp, string])[] = [
  [/^marked-for-termination$/, "EC2 takes the spot machine back within two minutes"],
  [/^marked-for-(stop|hibernation)$/, "EC2 stops the spot machine within two minutes"],
  [/^instance-\w+-by-price$/, "EC2 has taken the spot machine back: its price went over max_price"],
  [/^instance-\w+-(no-capacity|capacity-oversubscribed)$/, "EC2 has taken the spot machine back for others"],
  [/^instance-\w+-by-(service|schedule|experiment)$/, "EC2 has taken the spot machine back"],
];

/**
 * That a spot instance is taken away, in words; undefined when it is not, when the instance is not spot, or when EC2 does not
 * say: who may not ask still has a machine. Once EC2 says so, about two minutes are left.
 * Source: EC2 user guide, "Spot request status codes" and "Spot Instance interruption notices".
 */
export async function noticeOf(
  ec2: Ec2,
  instance: IdentifiedInstance,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (instance.InstanceLifecycle !== "spot") return undefined;
  const Filters = [{ Name: "instance-id", Values: [instance.InstanceId] }];
  const requests = await ec2.describeSpotInstanceRequests({ Filters }, signal).then(
    ({ SpotInstanceRequests }) => SpotInstanceRequests ?? [],
    () => [],
  );
  signal.throwIfAborted();
  const ours = requests.find(({ InstanceId }) => InstanceId === instance.InstanceId);
  const code = ours?.Status?.Code ?? "";
  const words = NOTICES.find(([pattern]) => pattern.test(code))?.[1];
  return words && `${words} (${code})`;
}
