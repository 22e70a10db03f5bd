import { setMaxListeners } from "node:events";
import type { Controls, TargetStatus, VolumeStatus } from "../targets/by-hand.ts";
import type { Clock } from "../util/clock.ts";
import { deadline, unlessAborted } from "../util/deadline.ts";
import { LazysshError, messageOf } from "../util/errors.ts";

/** What a server says of itself. */
export interface ServerFacts {
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** Where it runs; told to who runs it, and to nobody else. */
  readonly place?: ServerPlace;
}

export interface ServerPlace {
  readonly pid: number;
  /** `host:port` of the first address that it listens on. */
  readonly listen: string;
  readonly config: string;
  readonly stateDir: string;
}

export interface ServerStatus {
  readonly server: ServerFacts;
  readonly targets: readonly TargetReport[];
}

export interface TargetReport extends TargetStatus {
  /** Undefined when they were not asked for, or when the cloud did not tell. */
  readonly volumes: readonly VolumeStatus[] | undefined;
  /** Why the cloud did not tell. */
  readonly volumesProblem: string | undefined;
}

export interface ReportOptions {
  readonly machines: Pick<Controls, "status" | "volumes">;
  readonly clock: Clock;
  /** Whether the cloud is asked for them. */
  readonly volumes: boolean;
  /** Aborts when who asked has left. */
  readonly signal: AbortSignal;
}

/** Who asks for the status wants it now: volumes of a cloud that does not answer are left out, with the reason. */
const VOLUMES_MS = 10_000;

/** What there is, with the volumes as the cloud has them now. */
export async function reportTargets(options: ReportOptions): Promise<readonly TargetReport[]> {
  const { machines, clock, volumes, signal } = options;
  const late = () => new LazysshError("CLOUD_UNREACHABLE", "the cloud did not answer within 10 s");
  using limit = deadline(clock, VOLUMES_MS, late, signal);
  setMaxListeners(0, limit.signal); // each target listens
  const report = async (target: TargetStatus): Promise<TargetReport> => {
    const silent = { ...target, volumes: undefined, volumesProblem: undefined };
    if (!volumes || target.summary === undefined) return silent;
    try {
      const found = await unlessAborted(limit.signal, machines.volumes(target.name, limit.signal));
      return { ...silent, volumes: found };
    } catch (error) {
      return { ...silent, volumesProblem: messageOf(error) };
    }
  };
  return await Promise.all((await machines.status()).map(report));
}
