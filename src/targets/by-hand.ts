import type { Tenant } from "./lease.ts";

/** What a person at the controls may see and do; see `docs/operation.md`. */
export interface ByHand {
  /** Everything there is, as this server sees it. Asks the cloud nothing. */
  status(): readonly TargetStatus[];
  /**
   * Starts the target and keeps its machine until `drop`, or for `forMs`. Resolves when the machine is ready, and changes nothing but the time
   * when it is kept already.
   *
   * @param options.lift Lifts `budget` (until the end of the day, UTC), `max_machines`, `max_lifetime` and `idle_timeout` (until it is stopped).
   * @throws LazysshError `UNKNOWN_TARGET`, `BAD_REQUEST` for a target without a machine to keep, or whatever made the start fail.
   */
  hold(target: string, options: HoldOptions): Promise<void>;
  /**
   * Takes back what `hold` gave, ends the linger, and resolves with what that led to. The machine goes on while connections need it,
   * unless `cut`: then they are ended too.
   *
   * @throws LazysshError `UNKNOWN_TARGET`.
   */
  drop(target: string, options: { readonly cut: boolean }): Promise<Dropped>;
  /** The volumes of a target, asked of the cloud. */
  volumes(target: string, signal: AbortSignal): Promise<readonly VolumeStatus[]>;
}

/** The same for sessions, whose process may have to ask another. */
export interface Controls extends Pick<ByHand, "drop" | "volumes"> {
  status(): readonly TargetStatus[] | Promise<readonly TargetStatus[]>;
  hold(target: string, options: Omit<HoldOptions, "onWaiting">): Promise<void>;
}

export interface HoldOptions {
  /** Milliseconds; undefined: until `drop`, or the end of the server. */
  readonly forMs: number | undefined;
  readonly lift: boolean;
  /** Gives up waiting, and takes the hold back. */
  readonly signal: AbortSignal;
  /** Told what the start waits for, each time that changes. */
  readonly onWaiting?: (what: string) => void;
  /** Undefined: a person at the controls of the server itself. */
  readonly by?: Tenant;
}

/** `machines` are being ended; `kept` are not, because of these leases. */
export interface Dropped {
  readonly machines: readonly string[];
  readonly kept: readonly LeaseStatusLine[];
}

export interface TargetStatus {
  /** As in the config: of a family its pattern, and then the machines are those of all its names. */
  readonly name: string;
  /** As in the config: `aws_ec2`, `forward` … */
  readonly type: string;
  /** What is started, for people; undefined for `forward`. */
  readonly summary: string | undefined;
  /** Empty when nothing exists or is wanted. */
  readonly machines: readonly MachineStatus[];
  /** Machine time today (UTC), milliseconds, and what of it the budget allows. */
  readonly usedTodayMs: number;
  readonly budgetMsPerDay: number | undefined;
  readonly hourlyPrice: number | undefined;
}

export interface MachineStatus {
  /** The target's name; of a family the one that was asked for. */
  readonly target: string;
  /** `preparing`, `launching`, `booting` …, see targets/life/state.ts. */
  readonly state: string;
  /** Since when it is in this state, milliseconds since the epoch. */
  readonly since: number;
  /** The cloud's id, once known. */
  readonly machine: string | undefined;
  readonly launch: string | undefined;
  readonly host: string | undefined;
  /** When its order was given, milliseconds since the epoch. */
  readonly startedAt: number | undefined;
  /** What its start or its end waits for. */
  readonly waitingFor: string | undefined;
  /** Why no new connection is let to it: a spot notice, a port that does not answer. */
  readonly unfit: string | undefined;
  readonly leases: readonly LeaseStatusLine[];
}

export interface LeaseStatusLine {
  readonly kind: "channel" | "by hand";
  /** Name of the user in the config; undefined for one by hand on the server itself. */
  readonly user: string | undefined;
  /** Address of the client; for one by hand on the server itself empty. */
  readonly client: string;
  readonly connection: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** Whether it has the machine, or waits for it. */
  readonly status: "waiting" | "held";
}

export interface VolumeStatus {
  readonly id: string;
  readonly state: string;
  readonly sizeGiB: number | undefined;
  readonly type: string | undefined;
  readonly holders: readonly string[];
}
