/** How a run ended, and what its exit code is; see {@link EXIT_CODES}. */
export type RunStatus = "ok" | "failed" | "partial" | "refused" | "running" | "stale";

export const EXIT_CODES: Readonly<Record<RunStatus, number>> = {
  ok: 0,
  failed: 1,
  partial: 3,
  refused: 4,
  running: 5,
  stale: 6,
};

/** What became of one dataset. */
export interface DatasetOutcome {
  readonly source: string;
  readonly target: string;
  /** `current`: nothing was new. `skipped`: not tried, because something before it failed for all. */
  readonly status: "ok" | "current" | "failed" | "refused" | "skipped";
  /** Full name of the snapshot or bookmark that an increment began with; undefined for a full stream. */
  readonly base: string | undefined;
  /** Names of the snapshots that have arrived and were read back with their GUIDs, in order. */
  readonly snapshots: readonly string[];
  /** On the wire. */
  readonly bytes: number;
  readonly seconds: number;
  /** What failed, on what, why, what to do. */
  readonly error: string | undefined;
  /** The newest common snapshot after the run: what proves freshness, and what the next run begins with. */
  readonly newest: { readonly guid: string; readonly name: string; readonly creation: number } | undefined;
  /** Full names of snapshots that retention has destroyed. */
  readonly destroyed: readonly string[];
}

/** What a run did. The report as text and as JSON are made from this. */
export interface RunOutcome {
  readonly job: string;
  readonly status: RunStatus;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly seconds: number;
  /** Undefined when no machine was needed. */
  readonly bootSeconds: number | undefined;
  /** From when the machine was asked for until it was let go. */
  readonly machineSeconds: number | undefined;
  readonly bytes: number;
  readonly datasets: readonly DatasetOutcome[];
  /** Of the run as a whole: boot, lock, `after` … */
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
  readonly scrub: ScrubOutcome | undefined;
}

export interface ScrubOutcome {
  readonly pool: string;
  readonly state: "started" | "running" | "finished" | "failed";
  /** In `zpool status`' words. */
  readonly result: string;
}
