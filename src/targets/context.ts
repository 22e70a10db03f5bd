import type { MachineTarget } from "../config/index.ts";
import type { EventStream } from "../observe/index.ts";
import type { Provider } from "../providers/index.ts";
import type { Clock } from "../util/clock.ts";
import type { Remote } from "./end/remote.ts";
import type { Journal } from "./found/journal.ts";
import type { Prober } from "./start/probe.ts";
import type { Lifted } from "./use/limits.ts";
import type { Meter } from "./use/meter.ts";

/** A machine, or the order of one, that is known by more than its model. */
export interface Found {
  readonly token: string;
  readonly machine: string | undefined;
}

/** What the life of a target's machines depends on. */
export interface MachineContext {
  readonly target: MachineTarget;
  /** The target's address in the config: its name, or the pattern of the family that it is of. Limits and sums are the family's. */
  readonly family: string;
  readonly provider: Provider;
  readonly clock: Clock;
  readonly events: EventStream;
  readonly journal: Journal;
  readonly probe: Prober;
  readonly remote: Remote;
  readonly meter: Meter;
  /** Limits that a person has lifted for now. */
  readonly lifted: Lifted;
  /** Id of this server among those of its group. */
  readonly server: string;
  /** The group of servers that share machines; undefined: this one is alone. */
  readonly group: string | undefined;
  /** What was learnt of the target's starts by all servers of the group. */
  readonly memory: { generation: number };
  /** The cloud, account and region: where it is the same, the same machines are seen. */
  readonly place: string;
  /** Has a machine ended that is not to be used. */
  readonly discard: (found: Found) => void;
  /** Aborts when the program gives up waiting for machines to stop. */
  readonly signal: AbortSignal;
}

/** The port of a machine's address that leads to one of its ports. */
export function dialPort({ portMap }: Pick<MachineTarget, "portMap">, port: number): number {
  return portMap.get(port) ?? port;
}

/** Whether the target's one machine is used by several servers. */
export function isTogether({ group, target }: Pick<MachineContext, "group" | "target">): boolean {
  return group !== undefined && target.shared;
}
