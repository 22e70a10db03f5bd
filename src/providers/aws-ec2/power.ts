import type { AwsEc2Target } from "../../config/types.ts";
import { LazysshError } from "../../util/errors.ts";
import type { Ec2 } from "./client.ts";
import { describeInstance } from "./instances.ts";
import { type IdentifiedInstance, machineOf } from "./machine.ts";

/** States of EC2 that what was asked for leads to, so that asking again changes nothing. */
const STARTED: ReadonlySet<string> = new Set(["pending", "running"]);
const RESTING: ReadonlySet<string> = new Set(["stopping", "stopped"]);
const DYING: ReadonlySet<string> = new Set(["shutting-down", "terminated"]);

interface PowerContext {
  readonly ec2: Ec2;
  readonly target: AwsEc2Target;
}

/**
 * Starts an instance that is stopped.
 * Source: EC2 API reference, StartInstances.
 *
 * @throws LazysshError `NOT_READY` (retryable) while it is still stopping, `MACHINE_DIED` when it never comes back.
 */
export async function startInstance(context: PowerContext, id: string, signal: AbortSignal): Promise<void> {
  const { ec2 } = context;
  try {
    await ec2.startInstances({ InstanceIds: [id] }, signal);
  } catch (error) {
    await unlessIn(STARTED, context, id, error, signal);
  }
}

/**
 * Has an instance shut down, and its disks kept.
 * Source: EC2 API reference, StopInstances.
 *
 * @throws LazysshError `NOT_SUPPORTED` for one-time spot, an instance store, or one that was not launched to hibernate;
 *   `NOT_READY` (retryable) while it starts, `MACHINE_DIED` when it is terminated.
 */
export async function stopInstance(
  context: PowerContext,
  id: string,
  { hibernate }: { readonly hibernate: boolean },
  signal: AbortSignal,
): Promise<void> {
  const { ec2 } = context;
  try {
    await ec2.stopInstances({ InstanceIds: [id], ...(hibernate && { Hibernate: true }) }, signal);
  } catch (error) {
    await unlessIn(RESTING, context, id, error, signal);
  }
}

/** Throws the refusal, or what it really means, unless the instance is where it should be already. */
async function unlessIn(
  wanted: ReadonlySet<string>,
  { ec2, target }: PowerContext,
  id: string,
  refusal: unknown,
  signal: AbortSignal,
): Promise<void> {
  if (!(refusal instanceof LazysshError && refusal.code === "NOT_READY")) throw refusal;
  const instance: IdentifiedInstance = await describeInstance(ec2, target, id, signal);
  const state = instance.State?.Name ?? "";
  if (wanted.has(state)) return;
  if (!DYING.has(state)) throw refusal;
  const { reason = "no reason given" } = machineOf(instance, target.address);
  throw new LazysshError("MACHINE_DIED", `target ${target.name}: ${id} is ${state}: ${reason}`, {
    cause: refusal,
  });
}
