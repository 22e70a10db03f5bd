import type { DescribeInstancesCommandInput } from "@aws-sdk/client-ec2";
import type { AwsEc2Target } from "../../config/types.ts";
import { LazysshError } from "../../util/errors.ts";
import type { Machine, Provider } from "../provider.ts";
import { attachVolumes } from "./attach.ts";
import { createEc2, type Timeouts } from "./client.ts";
import { isTokenSpent } from "./errors.ts";
import { imageFor } from "./image.ts";
import { type IdentifiedInstance, instancesOf, isOwn, machineOf, tokenOf } from "./machine.ts";
import { typeText } from "./naming.ts";
import { type EndangeredVolume, endangeredWith, wouldBeDeleted } from "./outlive.ts";
import { remedyFor } from "./remedy.ts";
import { launchFilters, NOTE_PREFIX, ownFilters, runInstancesInput } from "./request.ts";
import { lookAtVolumes, obstacleOf, progressOf } from "./volumes.ts";

const PAGE = 1000;

/**
 * Machines on EC2, or on any cloud that answers RunInstances, DescribeInstances, TerminateInstances,
 * DescribeVolumes and AttachVolume as EC2 does (and DescribeImages for a target with `image`); nothing else is called.
 *
 * @param context.owner Id of this server: the value of the tag `lazyssh:owner`.
 */
export function createAwsEc2Provider(
  target: AwsEc2Target,
  context: { readonly owner: string },
  timeouts?: Timeouts,
): Provider {
  const ec2 = createEc2(target, timeouts);
  const { owner } = context;
  /** By machine that must not be terminated as it is. */
  const endangered = new Map<string, readonly EndangeredVolume[]>();
  const toMachine = (instance: IdentifiedInstance): Machine => machineOf(instance, target.address);

  async function describe(id: string, signal: AbortSignal): Promise<IdentifiedInstance> {
    const { Reservations } = await ec2.describeInstances({ InstanceIds: [id] }, signal);
    const instance = instancesOf(Reservations).find(({ InstanceId }) => InstanceId === id);
    if (instance) return instance;
    throw new LazysshError("MACHINE_NOT_FOUND", `target ${target.name}: the cloud does not list ${id}`, {
      retryable: true,
    });
  }

  async function search(
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

  async function find(token: string, signal: AbortSignal): Promise<Machine | undefined> {
    const instances = await search({ Filters: launchFilters(token) }, signal);
    const machines = instances.filter((instance) => tokenOf(instance) === token).map(toMachine);
    return machines.find(({ phase }) => phase !== "gone") ?? machines[0];
  }

  return {
    type: "aws_ec2",
    summary: `${typeText(target)} in ${target.availabilityZone ?? target.region ?? "the default region"}`,

    hasVolumes: target.attachVolumes.length > 0,
    alternatives: [typeText(target)],

    async volumesFree(signal) {
      signal.throwIfAborted();
      const volumes = await lookAtVolumes(ec2, target, signal);
      return progressOf(volumes.map((known) => obstacleOf(known, target)));
    },

    async create({ token, notes }, signal) {
      try {
        const imageId = await imageFor(ec2, target, signal);
        const output = await ec2.runInstances(
          runInstancesInput(target, { imageId, owner, token, notes }),
          signal,
        );
        const instance = instancesOf([output])[0];
        if (instance) return toMachine(instance);
      } catch (error) {
        // The config was changed between two orders of one launch, or the newest image has: the first machine is the one.
        const made = isTokenSpent(error) ? await find(token, signal) : undefined;
        if (made) return made;
        throw error;
      }
      throw new LazysshError(
        "CLOUD_ERROR",
        `target ${target.name}: RunInstances succeeded but named no instance`,
        { retryable: true },
      );
    },

    find,

    async describe(id, signal) {
      return toMachine(await describe(id, signal));
    },

    attach(id, signal) {
      return attachVolumes({ ec2, target, describe, signal }, id);
    },

    async destroy(id, signal) {
      signal.throwIfAborted();
      const volumes = await endangeredWith(id, ec2, target, signal);
      const [first] = volumes;
      if (first) {
        endangered.set(id, volumes);
        throw wouldBeDeleted(first.volumeId, id, target);
      }
      endangered.delete(id);
      await ec2.terminateInstances({ InstanceIds: [id] }, signal);
    },

    remedy(id, token) {
      return remedyFor(target, id, token, endangered.get(id ?? ""));
    },

    async start(id, signal) {
      await ec2.startInstances({ InstanceIds: [id] }, signal);
    },

    async rest(id, { hibernate }, signal) {
      await ec2.stopInstances({ InstanceIds: [id], ...(hibernate && { Hibernate: true }) }, signal);
    },

    async annotate(id, notes, signal) {
      const tags = Object.entries(notes).map(([key, Value]) => ({ Key: `${NOTE_PREFIX}${key}`, Value }));
      const fresh = tags.filter(({ Value }) => Value !== undefined);
      const stale = tags.filter(({ Value }) => Value === undefined);
      if (fresh.length > 0) await ec2.createTags({ Resources: [id], Tags: fresh }, signal);
      if (stale.length > 0)
        await ec2.deleteTags({ Resources: [id], Tags: stale.map(({ Key }) => ({ Key })) }, signal);
    },

    async list(signal, { gone } = { gone: false }) {
      const instances = await search({ Filters: ownFilters(owner), MaxResults: PAGE }, signal);
      return instances
        .filter((instance) => isOwn(instance, owner))
        .map(toMachine)
        .filter(({ phase }) => gone || phase !== "gone");
    },

    async volumes(signal) {
      const volumes = await lookAtVolumes(ec2, target, signal);
      return volumes.map(({ wanted, volume }) => ({
        id: wanted.volumeId,
        state: volume.State ?? "unknown",
        sizeGiB: volume.Size,
        type: volume.VolumeType,
        holders: (volume.Attachments ?? []).flatMap(({ InstanceId }) => InstanceId ?? []),
      }));
    },

    async preflight(signal) {
      signal.throwIfAborted();
      return [];
    },
  };
}
