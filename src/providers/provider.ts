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
}

/** Progress of something that is asked for again until it is true. */
export type Progress =
  | { readonly done: true }
  /** `waitingFor` names what stands in the way: "vol-1 is in-use by i-2 (/dev/sdf)". */
  | { readonly done: false; readonly waitingFor: string };

export interface CreateRequest {
  /** Idempotency token, unique per launch, ≤ 64 ASCII characters. The same token makes the same one machine. */
  readonly token: string;
}

export interface Provider {
  /** The target type it serves, as written in the config. */
  readonly type: string;
  /** What is started, for people: "t4g.nano in us-west-2d". */
  readonly summary: string;
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
  /** Asks the cloud to end the machine. Success means "asked", not "gone": `describe` tells. */
  destroy(id: string, signal: AbortSignal): Promise<void>;
  /** What a person can run to end the machine by hand, should `destroy` go on failing; by token while there is no id. */
  remedy(id: string | undefined, token: string): string;
  /** Every machine of this owner, of whichever target, that is not gone. */
  list(signal: AbortSignal): Promise<readonly Machine[]>;
}
