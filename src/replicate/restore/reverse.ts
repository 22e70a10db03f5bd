import { DEFAULT_JOB, type ReplicateJob } from "../../config/replicate.ts";

export interface Restoring {
  /** What stands after the "@"; undefined: the newest that the job sends. */
  readonly snapshot: string | undefined;
  /** Dataset that is made. */
  readonly to: string;
}

/**
 * The way back of a job, for one snapshot in full. A name of its own has holds of its own. Nothing is kept, scrubbed or reported, and
 * `before` and `after` are for who has the machine.
 */
export function reverseOf(job: ReplicateJob, { snapshot, to }: Restoring): ReplicateJob {
  return {
    ...job,
    name: `${job.name}.restore`,
    direction: job.direction === "push" ? "pull" : "push",
    source: job.destination,
    destination: to,
    // These are names of the source: what was left out was never sent.
    exclude: [],
    snapshots: snapshot === undefined ? job.snapshots : { include: [snapshot], exclude: [] },
    send: { ...job.send, intermediates: false },
    keep: undefined,
    before: undefined,
    after: undefined,
    maxAgeMs: undefined,
    scrubEveryMs: undefined,
    report: DEFAULT_JOB.report,
  };
}
