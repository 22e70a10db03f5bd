import type { Cloud } from "./cloud.ts";
import { Ec2Error } from "./error.ts";
import { type Instance, stateAt, type Volume } from "./state.ts";

/** EC2 names all that it does not know. */
export function unknownInstances(ids: readonly string[]): Ec2Error {
  const [first] = ids;
  return new Ec2Error(
    "InvalidInstanceID.NotFound",
    ids.length === 1
      ? `The instance ID '${first}' does not exist`
      : `The instance IDs '${ids.join(", ")}' do not exist`,
  );
}

/**
 * The instances of these ids, as they could be seen `lagMs` ago.
 *
 * @throws Ec2Error `InvalidInstanceID.Malformed` or `InvalidInstanceID.NotFound`, naming all that are unknown.
 */
export function findInstances(cloud: Cloud, ids: readonly string[], lagMs = 0): Instance[] {
  for (const id of ids) {
    if (!/^i-(?:[0-9a-f]{8}|[0-9a-f]{17})$/.test(id)) {
      throw new Ec2Error("InvalidInstanceID.Malformed", `Invalid id: "${id}"`);
    }
  }
  const seenAt = cloud.now() - lagMs;
  const found = [...new Set(ids)].map((id) => ({ id, instance: cloud.instances.get(id) }));
  const missing = found.filter(
    ({ instance }) => instance === undefined || stateAt(instance, seenAt) === undefined,
  );
  if (missing.length > 0) throw unknownInstances(missing.map(({ id }) => id));
  return found.flatMap(({ instance }) => (instance === undefined ? [] : [instance]));
}

/** @throws Ec2Error as {@link findInstances} does. */
export function findInstance(cloud: Cloud, id: string): Instance {
  const [instance] = findInstances(cloud, [id]);
  if (instance === undefined) throw unknownInstances([id]);
  return instance;
}

/** The volume as it was `lagMs` ago. @throws Ec2Error `InvalidParameterValue` or `InvalidVolume.NotFound`. */
export function findVolume(cloud: Cloud, id: string, lagMs = 0): Volume {
  if (!/^vol-(?:[0-9a-f]{8}|[0-9a-f]{17})$/.test(id)) {
    throw new Ec2Error(
      "InvalidParameterValue",
      `Value (${id}) for parameter volumes is invalid. Expected: 'vol-...'.`,
    );
  }
  const volume = cloud.volumeAt(id, lagMs);
  if (volume === undefined)
    throw new Ec2Error("InvalidVolume.NotFound", `The volume '${id}' does not exist.`);
  return volume;
}
