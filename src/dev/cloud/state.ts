/** What the emulated cloud knows: plain records, in the words of the EC2 API reference. */

export type InstanceState = "pending" | "running" | "shutting-down" | "terminated" | "stopping" | "stopped";

/** Why an instance left `running` (EC2 API, `StateReason`). */
export interface StateReason {
  readonly code: string;
  readonly message: string;
}

/** How an instance's boot goes; anything but `normal` is an injected fault. */
export type Fate =
  | { readonly kind: "normal" }
  /** Ends while pending, for the reason given. */
  | { readonly kind: "dies-pending"; readonly reason: StateReason }
  /** Runs, but its port stays closed. */
  | { readonly kind: "never-opens" }
  /** Accepts connections and never says a word. */
  | { readonly kind: "silent" };

/** One step of an instance's life; the list of them answers "what did Describe show N ms ago?". */
export interface StateChange {
  readonly at: number;
  readonly state: InstanceState;
  readonly reason: StateReason | undefined;
}

export type Tags = Record<string, string>;

/** How an instance asks for what the cloud tells it (EC2 API, `InstanceMetadataOptionsResponse`). */
export interface MetadataOptions {
  readonly httpTokens: "optional" | "required";
  readonly httpPutResponseHopLimit: number;
  readonly httpEndpoint: "enabled" | "disabled";
  /** Whether the instance may read its tags there; their keys then have to fit into a path. */
  readonly instanceMetadataTags: "enabled" | "disabled";
}

export interface Instance {
  readonly id: string;
  readonly reservationId: string;
  readonly imageId: string;
  readonly instanceType: string;
  readonly keyName: string | undefined;
  readonly subnetId: string;
  readonly zone: string;
  readonly securityGroupIds: readonly string[];
  /** Whether it has a public address while it runs. */
  readonly hasPublicAddress: boolean;
  readonly metadataOptions: MetadataOptions;
  readonly iamInstanceProfile: string | undefined;
  /** Decoded user data. */
  readonly userData: string | undefined;
  readonly clientToken: string | undefined;
  readonly launchIndex: number;
  readonly rootDevice: string;
  readonly fate: Fate;
  /** The request that brought it, when it is of the spot market. */
  readonly spotRequestId: string | undefined;
  /** Whether it was launched so that it can be hibernated. */
  readonly hibernates: boolean;
  launchTime: number;
  /** The loopback address its guest listens on; a new one after stop and start, as on EC2. */
  address: string;
  shutdownBehavior: "stop" | "terminate";
  terminationProtected: boolean;
  tags: Tags;
  /** How long its volumes take to come free once it is gone; undefined: as the cloud's delays have it. */
  detachMs: number | undefined;
  /** Never empty; the last one is now. */
  history: StateChange[];
}

type AttachmentState = "attaching" | "attached" | "detaching";

export interface Attachment {
  readonly instanceId: string;
  readonly device: string;
  readonly attachTime: number;
  deleteOnTermination: boolean;
  state: AttachmentState;
}

export type VolumeState = "creating" | "available" | "in-use";

export interface Volume {
  readonly id: string;
  readonly zone: string;
  /** GiB. */
  readonly size: number;
  readonly type: string;
  readonly iops: number | undefined;
  readonly throughput: number | undefined;
  readonly encrypted: boolean;
  readonly kmsKeyId: string | undefined;
  readonly snapshotId: string | undefined;
  readonly createTime: number;
  state: VolumeState;
  /** A volume has one at most: that is the promise everything else leans on. */
  attachment: Attachment | undefined;
  tags: Tags;
}

export interface KeyPair {
  readonly id: string;
  readonly name: string;
  /** An authorized_keys line. */
  readonly publicKey: string;
  readonly createTime: number;
}

/** What a ClientToken was used for. */
export interface TokenUse {
  /** The parameters of that call, in one canonical text. */
  readonly fingerprint: string;
  readonly instanceIds: readonly string[];
  readonly at: number;
}

/** What happened, for those who act on it (the hypervisor) and those who watch (tests, `/_dev/state`). */
export type CloudEvent =
  /** An instance is made; `pending` follows. */
  | {
      readonly type: "instance.launched";
      readonly instance: string;
      readonly instanceType: string;
      readonly subnet: string;
      readonly spot: boolean;
      readonly tags: Tags;
    }
  | {
      readonly type: "instance.state";
      readonly instance: string;
      readonly state: InstanceState;
      readonly reason: string | undefined;
    }
  /** The moment the guest's port is due to answer. */
  | { readonly type: "instance.boot"; readonly instance: string }
  | { readonly type: "instance.reboot"; readonly instance: string }
  | { readonly type: "volume.created"; readonly volume: string }
  | {
      readonly type: "volume.attachment";
      readonly volume: string;
      readonly instance: string;
      readonly device: string;
      readonly state: AttachmentState | "detached";
    }
  | { readonly type: "volume.deleted"; readonly volume: string }
  /** All tags that an instance or a volume has from now on. */
  | { readonly type: "tags"; readonly resource: string; readonly tags: Tags }
  | {
      readonly type: "spot.status";
      readonly request: string;
      readonly instance: string;
      readonly state: string;
      readonly code: string;
    };

/** How long the cloud takes over things, in milliseconds. */
export interface Delays {
  /** RunInstances to `running`. Default 500. */
  readonly pendingMs: number;
  /** `running` to an open SSH port. Default 1000. */
  readonly bootMs: number;
  /** `attaching` to `attached`. Default 300. */
  readonly attachMs: number;
  /** `shutting-down` to `terminated`: what the guest gets to end its processes. Default 500. */
  readonly shutdownMs: number;
  /** The instance gone, or DetachVolume asked, to `available`. Default 300. */
  readonly detachMs: number;
}

export const DEFAULT_DELAYS: Delays = {
  pendingMs: 500,
  bootMs: 1000,
  attachMs: 300,
  shutdownMs: 500,
  detachMs: 300,
};

export function currentState(instance: Instance): StateChange {
  const last = instance.history.at(-1);
  if (last === undefined) throw new Error(`instance ${instance.id} has no history`);
  return last;
}

/** What an eventually consistent Describe shows at a moment: undefined when it does not show the instance yet. */
export function stateAt(instance: Instance, at: number): StateChange | undefined {
  return instance.history.findLast((change) => change.at <= at);
}
