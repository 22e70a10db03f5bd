import type { AwsEc2Target } from "../../config/types.ts";
import { LazysshError } from "../../util/errors.ts";
import type { CreateRequest, Machine } from "../provider.ts";
import { clientToken } from "./alternatives.ts";
import type { Ec2 } from "./client.ts";
import { refusalOf } from "./errors.ts";
import { imageFor } from "./image.ts";
import { bestOf, instancesOfLaunch, machineOfLaunch } from "./instances.ts";
import { instancesOf } from "./machine.ts";
import { runInstancesInput } from "./request.ts";

export interface OrderContext {
  readonly ec2: Ec2;
  readonly target: AwsEc2Target;
  readonly owner: string;
  readonly alternatives: readonly AwsEc2Target[];
}

/**
 * Orders one machine.
 *
 * @throws LazysshError `NOT_READY` (retryable) when the token has made a machine that is not listed yet, `MACHINE_DIED` when what
 *   it made is over and not listed any more, `NO_CAPACITY` when the next alternative may be had.
 */
export async function orderMachine(
  context: OrderContext,
  request: CreateRequest,
  signal: AbortSignal,
): Promise<Machine> {
  const { ec2, target, owner } = context;
  const { token, alternative, notes } = request;
  signal.throwIfAborted();
  const order = context.alternatives[alternative];
  if (!order) {
    throw new LazysshError("INTERNAL", `target ${target.name} has no alternative number ${alternative}`);
  }
  try {
    const imageId = await imageFor(ec2, target, signal);
    const launch = { imageId, owner, token, clientToken: clientToken(token, alternative), notes };
    const output = await ec2.runInstances(runInstancesInput(order, launch), signal, order);
    const instance = instancesOf([output])[0];
    if (instance) return machineOfLaunch(instance, target, token);
  } catch (error) {
    return alreadyMade(context, request, error, signal);
  }
  throw new LazysshError(
    "CLOUD_ERROR",
    `target ${target.name}: RunInstances succeeded but named no instance`,
    { retryable: true },
  );
}

/**
 * What the token has made before, when that is why EC2 refused: the notes or the config are others now, the newest image is, or
 * another server was first. Then that machine is the one.
 */
async function alreadyMade(
  { ec2, target, alternatives }: OrderContext,
  { token, alternative }: CreateRequest,
  error: unknown,
  signal: AbortSignal,
): Promise<Machine> {
  const refusal = refusalOf(error);
  const over = refusal === "IdempotentInstanceTerminated";
  if (!over && refusal !== "IdempotentParameterMismatch") throw error;
  const instances = await instancesOfLaunch(ec2, token, alternatives.length, signal);
  const machines = instances.map((instance): Machine => {
    const machine = machineOfLaunch(instance, target, token);
    // The list may be older than the refusal.
    const stale = over && instance.ClientToken === clientToken(token, alternative);
    return stale && machine.phase !== "gone"
      ? { ...machine, phase: "stopping", address: undefined }
      : machine;
  });
  const made = bestOf(machines);
  if (made) return made;
  throw error;
}
