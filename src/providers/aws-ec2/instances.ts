import type { DescribeInstancesCommandInput } from "@aws-sdk/client-ec2";
import type { AwsEc2Target } from "../../config/types.ts";
import { LazysshError } from "../../util/errors.ts";
import type { Machine } from "../provider.ts";
import { clientToken } from "./alternatives.ts";
import type { Ec2 } from "./client.ts";
import { type IdentifiedInstance, instancesOf, machineOf } from "./machine.ts";
import { launchFilters } from "./request.ts";
import { TAG, tagOf } from "./tags.ts";

/**
 * One instance.
 *
 * @throws LazysshError `MACHINE_NOT_FOUND` when the cloud does not list it, which may change.
 */
export async function describeInstance(
  ec2: Ec2,
  target: AwsEc2Target,
  id: string,
  signal: AbortSignal,
): Promise<IdentifiedInstance> {
  const { Reservations } = await ec2.describeInstances({ InstanceIds: [id] }, signal);
  const instance = instancesOf(Reservations).find(({ InstanceId }) => InstanceId === id);
  if (instance) return instance;
  throw new LazysshError("MACHINE_NOT_FOUND", `target ${target.name}: the cloud does not list ${id}`, {
    retryable: true,
  });
}

/** Every instance that matches, of all pages. */
export async function searchInstances(
  ec2: Ec2,
  input: DescribeInstancesCommandInput,
  signal: AbortSignal,
): Promise<IdentifiedInstance[]> {
  const found: IdentifiedInstance[] = [];
  let page: string | undefined;
  do {
    const { Reservations, NextToken } = await ec2.describeInstances(
      { ...input, ...(page && { NextToken: page }) },
      signal,
    );
    found.push(...instancesOf(Reservations));
    page = NextToken;
  } while (page);
  return found;
}

/** What any of the alternatives of a launch has made. */
export async function instancesOfLaunch(
  ec2: Ec2,
  token: string,
  alternatives: number,
  signal: AbortSignal,
): Promise<IdentifiedInstance[]> {
  const tokens = Array.from({ length: alternatives }, (_, index) => clientToken(token, index));
  const instances = await searchInstances(ec2, { Filters: launchFilters(tokens) }, signal);
  // Asked of every answer, for a cloud that ignores the filter. The tag goes first: another launch may be called "token-1".
  return instances.filter(({ ClientToken = "", Tags }) => {
    const launch = tagOf(Tags, TAG.launch);
    return launch === undefined ? tokens.includes(ClientToken) : launch === token;
  });
}

/** An instance of a launch as a machine; its token is the launch's, whichever alternative made it. */
export function machineOfLaunch(instance: IdentifiedInstance, target: AwsEc2Target, token: string): Machine {
  return { ...machineOf(instance, target.address), token };
}

/** Of several the one that is the launch's: one that lives before one that ends, and that before one that is gone. */
export function bestOf(machines: readonly Machine[]): Machine | undefined {
  const ending = machines.find(({ phase }) => phase === "stopping");
  const alive = machines.find(({ phase }) => phase !== "stopping" && phase !== "gone");
  return alive ?? ending ?? machines[0];
}
