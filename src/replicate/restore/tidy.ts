import type { ReplicateJob } from "../../config/replicate.ts";
import { quoteWhereNeeded } from "../../util/shell.ts";
import { selected } from "../plan/points.ts";
import { type End, where } from "../run/ends.ts";
import { list } from "../run/survey.ts";
import { destroyBookmarkArgv } from "../zfs/change.ts";
import { failureOf } from "../zfs/explain.ts";
import { isNotHeld, releaseArgv } from "../zfs/holds.ts";
import { numberOf, rowsOf } from "../zfs/names.ts";

/** The replica is as it was: what the way back has held there is released, and its bookmarks go. Answers with what did not work. */
export async function tidyReplica(
  { side, zfs, features }: End,
  back: ReplicateJob,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const problems: string[] = [];
  const own = `lazyssh:${back.name}-`;
  for (const { name, snapshots, bookmarks } of await list(
    { side, zfs, features, programs: [] },
    back.source,
    back.recursive,
    signal,
  )) {
    const held = selected(snapshots, back.snapshots).at(-1);
    const commands = [
      ...(held ? [releaseArgv(zfs, back.name, [`${name}@${held.name}`])] : []),
      ...bookmarks.flatMap((bookmark) =>
        bookmark.name.startsWith(own) ? [destroyBookmarkArgv(zfs, name, bookmark.name)] : [],
      ),
    ];
    for (const argv of commands) {
      const ran = await side.run(argv, { signal });
      if (ran.status !== 0 && !isNotHeld(ran.stderr))
        problems.push(`${failureOf(ran, { side, zfs, doing: quoteWhereNeeded(argv) }).message}`);
    }
  }
  return problems;
}

/** What was replaced goes, with the holds that the job has on it. @throws when something keeps it. */
export async function destroyReplaced(
  { side, zfs }: End,
  { dataset, job }: { readonly dataset: string; readonly job: string },
  signal: AbortSignal,
): Promise<void> {
  const refs = await side.run([zfs, "get", "-Hp", "-r", "-o", "name,property,value", "userrefs", dataset], {
    signal,
  });
  for (const [name = "", , value] of rowsOf(refs.stdout)) {
    if ((numberOf(value) ?? 0) > 0) await side.run(releaseArgv(zfs, job, [name]), { signal });
  }
  const argv = [zfs, "destroy", "-r", dataset];
  const ran = await side.run(argv, { signal });
  if (ran.status === 0) return;
  const why = failureOf(ran, { side, zfs, doing: quoteWhereNeeded(argv), dataset }).message;
  throw new Error(
    `what was replaced is still there, as ${dataset} ${where(side)}: ${why}. It can go: ${quoteWhereNeeded(argv)}`,
  );
}
