import { randomUUID } from "node:crypto";
import type { AwsEc2Target } from "../../../config/types.ts";
import { asLazysshError } from "../../../util/errors.ts";
import { refusalOf } from "../errors.ts";
import { instancesOf } from "../machine.ts";
import { remedyFor } from "../remedy.ts";
import { runInstancesInput } from "../request.ts";
import type { Inquiry } from "./inquiry.ts";

/** RunInstances has a budget per account, which starts need more. */
const MOST_TRIALS = 20;
/** After these, the next alternative gets the same answer. */
const SAME_FOR_ALL: ReadonlySet<string> = new Set([
  "NOT_PERMITTED",
  "CREDENTIALS",
  "THROTTLED",
  "CLOUD_UNREACHABLE",
]);

/**
 * Orders each alternative with `DryRun`, which finds what is wrong with permissions, key pair, types and parameters. EC2 does not
 * check everything so: capacity and the limits of the account only show at a start.
 * Source: EC2 API reference, RunInstances, "DryRun".
 */
export async function tryOrders(inquiry: Inquiry, imageId: string | undefined): Promise<void> {
  for (const order of inquiry.alternatives.slice(0, MOST_TRIALS)) {
    const goOn = await tryOrder(inquiry, order, imageId);
    if (!goOn) return;
  }
}

/** Whether the next one is worth a try. */
async function tryOrder(
  inquiry: Inquiry,
  order: AwsEc2Target,
  imageId: string | undefined,
): Promise<boolean> {
  const { ec2, owner, signal } = inquiry;
  const token = `check-${randomUUID()}`;
  const input = runInstancesInput(order, { imageId, owner, token, clientToken: token, notes: {} });
  try {
    const output = await ec2.runInstances({ ...input, DryRun: true }, signal, order);
    for (const { InstanceId } of instancesOf([output])) await endAgain(inquiry, InstanceId, token);
    return false;
  } catch (thrown) {
    signal.throwIfAborted();
    if (refusalOf(thrown) === "DryRunOperation") return true;
    const { code, message } = asLazysshError(thrown);
    // Where there is no capacity, the next alternative is tried.
    inquiry.add({ severity: code === "NO_CAPACITY" ? "warning" : "error", text: message });
    return !SAME_FOR_ALL.has(code);
  }
}

/** A cloud that does not know `DryRun` has started a machine. Its tags are ours, so that a server would end it, too. */
async function endAgain({ ec2, target, add }: Inquiry, id: string, token: string): Promise<void> {
  try {
    // Not by the signal: who gives up waiting must not leave a machine.
    await ec2.terminateInstances({ InstanceIds: [id] }, new AbortController().signal);
    add({
      severity: "warning",
      text: `target ${target.name}: the cloud does not know DryRun and started ${id}, which was ended at once`,
    });
  } catch (error) {
    const { message } = asLazysshError(error);
    add({
      severity: "error",
      text: `target ${target.name}: the cloud does not know DryRun and started ${id}, and it cannot be ended: ${message}; run ${remedyFor(target, id, token)}`,
    });
  }
}
