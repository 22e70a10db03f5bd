import type { ReplicateJob } from "../../config/replicate.ts";
import type { Ends } from "./ends.ts";
import type { Machine } from "./machine.ts";
import type { RunOptions } from "./options.ts";

/** What all stages of a run that has a machine work with. */
export interface Context {
  readonly options: RunOptions;
  readonly job: ReplicateJob;
  readonly ends: Ends;
  readonly machine: Machine;
  /** Of the run: by hand, or because its time is up. */
  readonly signal: AbortSignal;
  /** Connects anew where that is needed, and makes the machine ready. */
  readonly reconnect: () => Promise<void>;
  readonly warn: (words: string) => void;
}
