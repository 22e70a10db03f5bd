import { messageOf } from "../../util/errors.ts";
import { selects } from "../plan/names.ts";
import { retention } from "../plan/retention.ts";
import { destroySnapshotsArgv } from "../zfs/change.ts";
import { failureOf } from "../zfs/explain.ts";
import type { Context } from "./context.ts";
import type { DatasetResult } from "./dataset.ts";
import { list } from "./survey.ts";

/**
 * Destroys what the job need not keep of one dataset on the receiving side, one snapshot at a time: only those that came from the source
 * and that the job selects, never the newest common one, and nothing that is newer.
 *
 * @returns full names of those that are gone. What could not be destroyed is a warning.
 */
export async function retain(
  context: Context,
  { target: seen, common }: Pick<DatasetResult, "target" | "common">,
  received: ReadonlySet<string>,
): Promise<readonly string[]> {
  const { job, ends, signal, warn } = context;
  const { keep } = job;
  if (!keep || !seen || !common) return [];
  const { side, zfs, features } = ends.target;
  const superfluous = (snapshots: typeof seen.snapshots) =>
    retention({
      snapshots,
      keep,
      ours: ({ guid, name }) => received.has(guid) && selects(job.snapshots, name),
      protect: new Set(
        snapshots
          .filter(
            ({ guid, createtxg }) => guid === common.base.guid || createtxg >= common.onTarget.createtxg,
          )
          .map(({ guid }) => guid),
      ),
    });
  const destroyed: string[] = [];
  try {
    if (superfluous(seen.snapshots).length === 0) return [];
    // Names are all that can be destroyed by: they have to be those of now.
    const [now] = await list(ends.target, seen.name, false, signal);
    const names = superfluous(now?.snapshots ?? []).map(({ name }) => name);
    for (const argv of destroySnapshotsArgv(zfs, seen.name, names, { ...features, bookmarks: false })) {
      const full = argv.at(-1) ?? "";
      const ran = await side.run(argv, { signal });
      if (ran.status === 0) destroyed.push(full);
      else warn(failureOf(ran, { side, zfs, doing: `destroying ${full}`, dataset: seen.name }).message);
      if (ran.status === 255) break;
    }
  } catch (error) {
    signal.throwIfAborted();
    warn(`old snapshots of ${seen.name} stay: ${messageOf(error)}`);
  }
  return destroyed;
}
