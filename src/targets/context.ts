import type { MachineTarget } from "../config/index.ts";
import type { EventStream } from "../observe/index.ts";
import type { Provider } from "../providers/index.ts";
import type { Clock } from "../util/clock.ts";
import type { Journal } from "./journal.ts";
import type { Prober } from "./probe.ts";

/** What the life of a target's machines depends on. */
export interface MachineContext {
  readonly target: MachineTarget;
  readonly provider: Provider;
  readonly clock: Clock;
  readonly events: EventStream;
  readonly journal: Journal;
  readonly probe: Prober;
  /** Aborts when the program gives up waiting for machines to stop. */
  readonly signal: AbortSignal;
}
