import type { AwsEc2Target } from "../../config/types.ts";
import type { Machine, Provider } from "../provider.ts";
import { alternativesOf } from "./alternatives.ts";
import { annotateInstance } from "./annotate.ts";
import { attachVolumes } from "./attach.ts";
import { createEc2, type Timeouts } from "./client.ts";
import {
  bestOf,
  describeInstance,
  instancesOfLaunch,
  machineOfLaunch,
  searchInstances,
} from "./instances.ts";
import { type IdentifiedInstance, isOwn, machineOf } from "./machine.ts";
import { orderMachine } from "./order.ts";
import { type EndangeredVolume, endangeredWith, wouldBeDeleted } from "./outlive.ts";
import { startInstance, stopInstance } from "./power.ts";
import { preflight } from "./preflight/preflight.ts";
import { remedyFor } from "./remedy.ts";
import { ownFilters } from "./request.ts";
import { awsEc2Shape } from "./shape.ts";
import { noticeOf } from "./spot.ts";
import { lookAtVolumes, obstacleOf, progressOf, volumeInfo } from "./volumes.ts";

const PAGE = 1000;

/**
 * Machines on EC2, or on any cloud that answers as EC2 does. What is called for which argument is in `docs/targets/aws_ec2.md`,
 * "Permissions", and a test compares.
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
  const alternatives = alternativesOf(target);
  /** By machine that must not be terminated as it is. */
  const endangered = new Map<string, readonly EndangeredVolume[]>();
  const toMachine = (instance: IdentifiedInstance): Machine => machineOf(instance, target.address);
  const describe = (id: string, signal: AbortSignal): Promise<IdentifiedInstance> =>
    describeInstance(ec2, target, id, signal);

  return {
    ...awsEc2Shape(target),

    async volumesFree(signal) {
      signal.throwIfAborted();
      const volumes = await lookAtVolumes(ec2, target, signal);
      return progressOf(volumes.map((known) => obstacleOf(known, target)));
    },

    create(request, signal) {
      return orderMachine({ ec2, target, owner, alternatives }, request, signal);
    },

    async find(token, signal) {
      const instances = await instancesOfLaunch(ec2, token, alternatives.length, signal);
      return bestOf(instances.map((instance) => machineOfLaunch(instance, target, token)));
    },

    async describe(id, signal) {
      const instance = await describe(id, signal);
      return { ...toMachine(instance), notice: await noticeOf(ec2, instance, signal) };
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

    start(id, signal) {
      return startInstance({ ec2, target }, id, signal);
    },

    rest(id, options, signal) {
      return stopInstance({ ec2, target }, id, options, signal);
    },

    annotate(id, notes, signal) {
      return annotateInstance(ec2, id, notes, signal);
    },

    async list(signal, options = { gone: false }) {
      const instances = await searchInstances(
        ec2,
        { Filters: ownFilters(owner, options), MaxResults: PAGE },
        signal,
      );
      return instances
        .filter((instance) => isOwn(instance, owner))
        .map(toMachine)
        .filter(({ phase }) => options.gone || phase !== "gone");
    },

    async volumes(signal) {
      signal.throwIfAborted();
      return (await lookAtVolumes(ec2, target, signal)).map(volumeInfo);
    },

    preflight(signal) {
      return preflight({ ec2, target, owner, alternatives }, signal);
    },
  };
}
