import type { Cloud } from "./cloud/cloud.ts";
import {
  type Attachment,
  currentState,
  type InstanceState,
  type Tags,
  type VolumeState,
} from "./cloud/state.ts";
import type { Hypervisor } from "./hypervisor.ts";
import type { Journal, JournalEntry } from "./journal.ts";

export interface InstanceView {
  readonly id: string;
  readonly state: InstanceState;
  /** Why it left `running`, in EC2's words. */
  readonly reason: string | undefined;
  readonly address: string;
  readonly clientToken: string | undefined;
  readonly launchTime: number;
  /** Process id of the guest, while there is one. */
  readonly pid: number | undefined;
  readonly tags: Tags;
  /** Ids of the volumes it holds, the root volume among them. */
  readonly volumes: readonly string[];
}

interface VolumeView {
  readonly id: string;
  readonly state: VolumeState;
  readonly attachment: Attachment | undefined;
  readonly tags: Tags;
}

/** All of a world at one moment, as `GET /_dev/state` shows it. Times are milliseconds since the Unix epoch. */
export interface WorldState {
  readonly now: number;
  readonly instances: readonly InstanceView[];
  readonly volumes: readonly VolumeView[];
  /** API calls by action since the start. */
  readonly calls: Readonly<Record<string, number>>;
  /** The latest 10,000 or so things that happened. */
  readonly events: readonly JournalEntry[];
}

export function viewState(cloud: Cloud, hypervisor: Hypervisor, journal: Journal): WorldState {
  cloud.settle();
  return {
    now: cloud.now(),
    instances: [...cloud.instances.values()].map((instance) => {
      const { state, reason } = currentState(instance);
      return {
        id: instance.id,
        state,
        reason: reason?.message,
        address: instance.address,
        clientToken: instance.clientToken,
        launchTime: instance.launchTime,
        pid: hypervisor.pid(instance.id),
        tags: { ...instance.tags },
        volumes: cloud.attachedTo(instance.id).map(({ id }) => id),
      };
    }),
    volumes: [...cloud.volumes.values()].map(({ id, state, attachment, tags }) => ({
      id,
      state,
      attachment: attachment && { ...attachment },
      tags: { ...tags },
    })),
    calls: journal.calls(),
    events: [...journal.entries()],
  };
}
