import type { ReplicateJob } from "../../config/replicate.ts";
import type { Clock } from "../../util/clock.ts";
import type { ProgressOutput } from "../pipeline/progress.ts";
import type { Allowed } from "../plan/steps.ts";

export interface RunOptions {
  readonly job: ReplicateJob;
  readonly allowed: Allowed;
  readonly clock: Clock;
  /** Ends the run early: what has arrived stays, and the machine is let go. */
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
  /** What earlier runs of the job have left; undefined: nothing is known. */
  readonly remembered: Remembered | undefined;
  /** Keeps what the next run may rely on. Called once, when something was verified. A failure of it is a warning. */
  readonly onRemember: (what: Remembered) => Promise<void>;
  /** Where the progress of streams is shown. */
  readonly progress: ProgressOutput | undefined;
  /** A line for people, on what is being done now. */
  readonly say: (line: string) => void;
}

/** What a run has seen on the target with its own eyes, by GUID. The keys of all maps are names of target datasets. */
export interface Remembered {
  /** When the target was looked at last, in milliseconds since the epoch. */
  readonly at: number;
  /** The newest common snapshot. Only of datasets that had all that was wanted. */
  readonly newest: ReadonlyMap<
    string,
    { readonly guid: string; readonly name: string; readonly creation: number }
  >;
  /** GUIDs of all snapshots there that came from the source, also of those that the source has no more. */
  readonly received: ReadonlyMap<string, readonly string[]>;
  /** When a scrub was last started, or seen to be finished. */
  readonly scrubbedAt: number | undefined;
}
