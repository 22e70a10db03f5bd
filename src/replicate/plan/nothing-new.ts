import type { ReplicateJob } from "../../config/replicate.ts";
import type { Dataset } from "../model.ts";
import { inScope, mapName } from "./names.ts";
import { newestOf, selected } from "./points.ts";

export interface NothingNewOptions {
  /** All that is at and below the job's source. */
  readonly source: readonly Dataset[];
  readonly job: Pick<ReplicateJob, "source" | "destination" | "recursive" | "exclude" | "snapshots">;
  /** Target dataset → GUID of the newest common snapshot, as the last verified run has left it. */
  readonly remembered: ReadonlyMap<string, string>;
}

/**
 * Whether a run would have nothing to send, from one side alone, so that no machine has to be started for it. Says no whenever
 * it cannot be sure: a dataset that is not remembered, one whose remembered snapshot is gone, a source that lost all of them.
 */
export function wouldSendNothing({ source, job, remembered }: NothingNewOptions): boolean {
  const scope = inScope(source, job);
  if (!scope.some(({ name }) => name === job.source)) return false;
  return scope.every(({ name, snapshots, bookmarks }) => {
    const guid = remembered.get(mapName(name, job));
    const newest = newestOf(selected(snapshots, job.snapshots));
    if (!newest) return guid === undefined;
    const left = [...snapshots, ...bookmarks].find((point) => point.guid === guid);
    return left !== undefined && newest.createtxg <= left.createtxg;
  });
}
