import type { Cloud } from "./cloud.ts";
import { closeSpotRequest } from "./spot.ts";
import type { SpotRequest } from "./spot-state.ts";
import {
  currentState,
  type Instance,
  type KeyPair,
  type StateReason,
  type TokenUse,
  type Volume,
} from "./state.ts";

/** What of a cloud is written down: all but its schedule, for nothing that was under way survives its process. */
export interface CloudRecord {
  readonly instances: readonly Instance[];
  readonly volumes: readonly Volume[];
  /** Absent in records of worlds that knew no spot market. */
  readonly spotRequests?: readonly SpotRequest[];
  readonly keyPairs: readonly KeyPair[];
  readonly tokens: readonly (readonly [string, TokenUse])[];
}

const WORLD_ENDED: StateReason = {
  code: "Server.InternalError",
  message: "Server.InternalError: Internal error on launch: the dev world that ran this instance has ended",
};

export function recordOf(cloud: Cloud): CloudRecord {
  return {
    instances: [...cloud.instances.values()],
    volumes: [...cloud.volumes.values()],
    spotRequests: [...cloud.spotRequests.values()],
    keyPairs: [...cloud.keyPairs.values()],
    tokens: [...cloud.tokens],
  };
}

/**
 * Fills a new cloud with what an earlier one wrote down. Its machines died with it: they come back terminated, and
 * the volumes they held come back available, but for those that were to go with the instance.
 *
 * @returns the ids of the volumes that have gone.
 */
export function restore(cloud: Cloud, record: CloudRecord): string[] {
  const now = cloud.now();
  const gone: string[] = [];
  for (const request of record.spotRequests ?? []) cloud.spotRequests.set(request.id, request);
  for (const instance of record.instances) {
    if (currentState(instance).state !== "terminated") {
      instance.history.push({ at: now, state: "terminated", reason: WORLD_ENDED });
      closeSpotRequest(cloud, instance, WORLD_ENDED);
    }
    cloud.instances.set(instance.id, instance);
    cloud.schedule(3_600_000, () => {
      cloud.instances.delete(instance.id);
      if (instance.spotRequestId !== undefined) cloud.spotRequests.delete(instance.spotRequestId);
      cloud.touch();
    });
  }
  for (const volume of record.volumes) {
    if (volume.attachment?.deleteOnTermination) {
      gone.push(volume.id);
      continue;
    }
    volume.attachment = undefined;
    volume.state = "available";
    cloud.volumes.set(volume.id, volume);
    cloud.rememberAlways(volume.id);
  }
  for (const keyPair of record.keyPairs) cloud.keyPairs.set(keyPair.name, keyPair);
  for (const [token, use] of record.tokens) cloud.tokens.set(token, use);
  cloud.touch();
  return gone;
}
