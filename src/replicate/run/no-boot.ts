import { formatDuration } from "../../util/duration.ts";
import { inScope, mapName } from "../plan/names.ts";
import { wouldSendNothing } from "../plan/nothing-new.ts";
import { plan } from "../plan/plan.ts";
import { listDatasets } from "../zfs/list.ts";
import type { End } from "./ends.ts";
import type { RunOptions } from "./options.ts";
import { type RunRecord, untried } from "./record.ts";
import { refusalWords } from "./words.ts";

/** Without its source a job has nothing to do on a machine. */
export async function sourceIsMissing(
  { job, allowed }: RunOptions,
  { side, zfs, features }: End,
  record: RunRecord,
  signal: AbortSignal,
): Promise<boolean> {
  const options = { recursive: false, features, signal };
  if ((await listDatasets(side, zfs, job.source, options)) !== undefined) return false;
  const target = { name: job.target, remote: true };
  const { datasets } = plan({
    ...{ source: [], target: [], job, allowed, features: { source: features, target: features } },
    sides: { source: side.name, target: target.name },
  });
  for (const { source, target: destination, refusal } of datasets) {
    const error = refusal && refusalWords(refusal, { source: side, target });
    record.tell({ ...untried(source, destination, ""), status: "refused", error });
  }
  return true;
}

/** Whether all that is here is known to be there, and it is not yet time to look again: then there is no need for the machine. */
export async function nothingNew(
  { job, remembered, clock, say }: RunOptions,
  { side, zfs, features }: End,
  record: RunRecord,
  signal: AbortSignal,
): Promise<boolean> {
  if (!remembered) return false;
  const now = clock.now();
  if (isDue(job.maxAgeMs, remembered.at, now) || isDue(job.scrubEveryMs, remembered.scrubbedAt, now))
    return false;
  const source = await listDatasets(side, zfs, job.source, { recursive: job.recursive, features, signal });
  const guids = new Map([...remembered.newest].map(([name, { guid }]) => [name, guid]));
  if (!source || !wouldSendNothing({ source, job, remembered: guids })) return false;
  for (const { name } of inScope(source, job)) {
    const target = mapName(name, job);
    const newest = remembered.newest.get(target);
    record.tell({ ...untried(name, target, ""), status: "current", error: undefined, newest });
  }
  const age = formatDuration(Math.max(now - remembered.at, 0));
  say(`nothing is new since ${job.target} was looked at ${age} ago, so that it is not started`);
  return true;
}

function isDue(everyMs: number | undefined, last: number | undefined, now: number): boolean {
  if (everyMs === undefined) return false;
  // A clock that was set back must not put it off for ever.
  return last === undefined || now - last >= everyMs || last > now;
}
