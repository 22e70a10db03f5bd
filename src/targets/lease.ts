import type { PermitOpen } from "../config/access.ts";

/** Who asks for a machine. */
export interface Tenant {
  /** Client connection id; with `shared = false` each connection has a machine of its own. */
  readonly connection: string;
  /** Address of the client, for people. */
  readonly client: string;
  /** Undefined for a person at the controls of the server itself, who may do everything. */
  readonly user?: TenantUser;
  /** Not a connection, but a person at the controls. */
  readonly byHand?: boolean;
  /** Told how far the start has come, while it waits. */
  readonly told?: (stage: Stage) => void;
}

/** What limits a user's machines. */
export interface TenantUser {
  readonly name: string;
  /** How many machines may exist at once that the user has leases of. Undefined: any number. */
  readonly maxMachines: number | undefined;
  /** Whether the user may know of this target. */
  readonly sees: (target: string) => boolean;
  /** What `sees` goes by, for a process that it cannot be given to. Undefined: nothing is known to be seen there. */
  readonly reach?: TargetReach;
}

/** Which targets somebody may reach. */
export interface TargetReach {
  /** Patterns of names. Undefined: all. */
  readonly targets: readonly string[] | undefined;
  /** As sshd reads `permitopen`. Undefined: whatever `targets` allows. */
  readonly permitOpen: readonly PermitOpen[] | undefined;
}

/** How far the start of a machine has come. */
export interface Stage {
  /** `preparing`, `launching`, `booting` …, see targets/life/state.ts. */
  readonly state: string;
  /** What is started, for people: "t4g.nano in us-west-2d". */
  readonly summary: string;
  /** The cloud's id, once known. */
  readonly machine: string | undefined;
  /** What the stage waits for now, in words. */
  readonly waitingFor: string | undefined;
  /** Why nobody new is let to it, though it is ready. */
  readonly unfit: string | undefined;
}

/** Bytes so far. */
export interface Traffic {
  readonly total: number;
  readonly fromMachine: number;
}

/**
 * What keeps a machine alive: one for each open or pending channel. Held until released; releasing twice is
 * harmless. The last release starts the linger, and then the stop.
 */
export interface Lease extends AsyncDisposable {
  /** Host to dial; the port is the client's choice. */
  readonly host: string;
  /** Ports that are reached by another port of `host`. */
  readonly portMap: ReadonlyMap<number, number>;
  /** Aborts, with a `LazysshError` as reason, when the machine is taken away while the lease is held. */
  readonly signal: AbortSignal;
  release(): void;
  /** Has it count what goes through the connection: how many bytes have, up to now, in all and from the machine. */
  carries(traffic: () => Traffic): void;
  /**
   * Asks at once whether the machine still runs and answers on its port, for when a connection to it fails. False: a new `acquire`
   * gets another machine, or this one when it answers again. True when it is well, or when the cloud does not say.
   */
  stillRuns(): Promise<boolean>;
}

/** All targets of a configuration, as the front door sees them. */
export interface Targets {
  /** Names of the configured targets, in the order of the file. */
  readonly names: readonly string[];
  /** The pattern of the family that a target is of; undefined: it stands in the config itself, or there is no such target. */
  familyOf(target: string): string | undefined;
  /** TCP ports of a target that channels may reach; undefined: any (or there is no such target). */
  portsOf(target: string): readonly number[] | undefined;
  /**
   * Starts the target's machine if need be and resolves when connections can be made to it. Aborting the
   * signal gives the place back; when it was the last one, the boot is cancelled.
   *
   * @throws LazysshError `UNKNOWN_TARGET`, `SHUTTING_DOWN`, or whatever made the boot fail, in words for the user.
   */
  acquire(target: string, tenant: Tenant, signal: AbortSignal): Promise<Lease>;
}
