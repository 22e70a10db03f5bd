/**
 * What a kind of machine must be able to do. A provider is a handful of idempotent async verbs: each makes
 * one attempt, ends promptly when its signal aborts (rejecting with the signal's reason), and throws
 * {@link LazysshError} with the cause in words. No lifecycle, no timers, no retry policy, no logging here:
 * `targets/` decides what is called, when, and how often.
 */

/** Where a machine stands, in the words all clouds share. */
export type MachinePhase =
  /** Ordered, not yet running. */
  | "pending"
  | "running"
  /** On its way out; volumes may still be held. */
  | "stopping"
  /** Shut down with its disks kept (EC2 `stopped`): costs no machine time, and can be started again. */
  | "resting"
  /** Stopped for good (EC2 `terminated`): costs nothing, holds nothing, never comes back. */
  | "gone";

export interface Machine {
  /** The cloud's own id, for example `i-0123456789abcdef0`. */
  readonly id: string;
  readonly phase: MachinePhase;
  /** Host or IP address to dial, once the machine has one. */
  readonly address: string | undefined;
  /** Why it is stopping or gone, in the cloud's words. */
  readonly reason: string | undefined;
  /** The launch token it was created with, where the cloud tells. */
  readonly token: string | undefined;
  /** The target it was started for, by its tag. */
  readonly target: string | undefined;
  /** What has been written on it by lazyssh servers, by key; see {@link Provider.annotate}. */
  readonly notes: Notes;
  /** That the cloud is about to take the machine away, in its words (EC2: a spot interruption notice). */
  readonly notice: string | undefined;
  /** When it was last started, milliseconds since the epoch. */
  readonly startedAt: number | undefined;
}

/** Short texts on a machine that every server sees (EC2: tags `lazyssh:<key>`). Keys are `[a-z0-9:-]+`, values up to 256 characters. */
export type Notes = Readonly<Record<string, string>>;

/** A persistent volume of the target, for people. */
export interface VolumeInfo {
  readonly id: string;
  /** In the cloud's words: "available", "in-use" … */
  readonly state: string;
  readonly sizeGiB: number | undefined;
  readonly type: string | undefined;
  /** Ids of the machines that hold it. */
  readonly holders: readonly string[];
}

/** What speaks against a start, found without starting anything. */
export interface Finding {
  readonly severity: "error" | "warning";
  /** What, on what, why, what to do. */
  readonly text: string;
}

/** Progress of something that is asked for again until it is true. */
export type Progress =
  | { readonly done: true }
  /** `waitingFor` names what stands in the way: "vol-1 is in-use by i-2 (/dev/sdf)". */
  | { readonly done: false; readonly waitingFor: string };

export interface CreateRequest {
  /** Idempotency token, unique per launch, ≤ 60 ASCII characters. The same token and alternative make the same one machine. */
  readonly token: string;
  /** Index into {@link Provider.alternatives}. Each is ordered with an idempotency token of its own, made from `token`. */
  readonly alternative: number;
  /** Written on the machine by the same call. They are not part of what makes two orders the same. */
  readonly notes: Notes;
}

export interface Provider {
  /** The target type it serves, as written in the config. */
  readonly type: string;
  /** What is started, for people: "t4g.nano in us-west-2d". */
  readonly summary: string;
  /** Whether it attaches persistent volumes: then its operating system is shut down before the machine is ended. */
  readonly hasVolumes: boolean;
  /**
   * The ways to order a machine, in the order of preference, for people: "t4g.nano (spot) in subnet-1". At least one. Where there is no capacity for
   * one (`NO_CAPACITY`), the next is tried.
   */
  readonly alternatives: readonly string[];
  /** Are all persistent volumes free to be attached (and do they exist)? Asked before `create`, and after `destroy`. */
  volumesFree(signal: AbortSignal): Promise<Progress>;
  /** Orders one machine. Repeating it with the same token answers the same machine. */
  create(request: CreateRequest, signal: AbortSignal): Promise<Machine>;
  /**
   * The machine that a launch token made, for when `create` gave no usable answer. `undefined` means only
   * "not seen by this call": a cloud that is eventually consistent may show it later.
   */
  find(token: string, signal: AbortSignal): Promise<Machine | undefined>;
  /** Throws `MACHINE_NOT_FOUND` when the cloud does not know the id (which, right after `create`, proves nothing). */
  describe(id: string, signal: AbortSignal): Promise<Machine>;
  /** Attaches the persistent volumes to a running machine; asked again until done. */
  attach(id: string, signal: AbortSignal): Promise<Progress>;
  /** Starts a machine that rests. Idempotent for one that is starting or runs. */
  start(id: string, signal: AbortSignal): Promise<void>;
  /**
   * Has the operating system shut down in order and keeps the machine and its disks. Success means "asked": `describe` shows it
   * `resting`. Idempotent. Throws `NOT_SUPPORTED` for a machine that cannot rest (EC2: one-time spot, instance store).
   */
  rest(id: string, options: { readonly hibernate: boolean }, signal: AbortSignal): Promise<void>;
  /** Asks the cloud to end the machine. Success means "asked", not "gone": `describe` tells. */
  destroy(id: string, signal: AbortSignal): Promise<void>;
  /** What a person can run to end the machine by hand, should `destroy` go on failing; by token while there is no id. */
  remedy(id: string | undefined, token: string): string;
  /** Writes on the machine; `undefined` takes a note off. */
  annotate(
    id: string,
    notes: Readonly<Record<string, string | undefined>>,
    signal: AbortSignal,
  ): Promise<void>;
  /** Every machine of this owner, of whichever target, that is not gone; with `gone`, those too that the cloud still lists. */
  list(signal: AbortSignal, options?: { readonly gone: boolean }): Promise<readonly Machine[]>;
  /** The target's persistent volumes, as they are now. */
  volumes(signal: AbortSignal): Promise<readonly VolumeInfo[]>;
  /** Looks for what would make a start fail: credentials, permissions, image, zones of volumes and subnets. Starts nothing. */
  preflight(signal: AbortSignal): Promise<readonly Finding[]>;
}
