import type { ReplicateJob, SnapshotFilter } from "../../config/replicate.ts";
import { matchesGlob } from "../../util/glob.ts";

/** What a source dataset is called on the target: the source is received as the destination itself, its children below it. */
export function mapName(source: string, job: Pick<ReplicateJob, "source" | "destination">): string {
  return move(source, job.source, job.destination);
}

/** The other way round: the source dataset that a dataset of the target stands for. */
export function sourceName(target: string, job: Pick<ReplicateJob, "source" | "destination">): string {
  return move(target, job.destination, job.source);
}

function move(name: string, from: string, to: string): string {
  if (!isAtOrBelow(name, from)) throw new Error(`${name} is neither ${from} nor below it`);
  return to + name.slice(from.length);
}

export function isAtOrBelow(name: string, root: string): boolean {
  return name === root || name.startsWith(`${root}/`);
}

/** Undefined for the dataset of a pool. */
export function parentOf(name: string): string | undefined {
  const slash = name.lastIndexOf("/");
  return slash === -1 ? undefined : name.slice(0, slash);
}

/** Whether the job leaves out this source dataset, by its own name or by that of one above it. `*` matches "/" too. */
export function isExcluded(name: string, job: Pick<ReplicateJob, "source" | "exclude">): boolean {
  for (
    let above: string | undefined = name;
    above !== undefined && isAtOrBelow(above, job.source);
    above = parentOf(above)
  ) {
    for (const pattern of job.exclude) {
      if (matchesGlob(pattern, above)) return true;
    }
  }
  return false;
}

/** Whether the filter lets a snapshot through, by what stands after its "@". */
export function selects(filter: SnapshotFilter, name: string): boolean {
  return (
    filter.include.some((pattern) => matchesGlob(pattern, name)) &&
    !filter.exclude.some((pattern) => matchesGlob(pattern, name))
  );
}

/** The source datasets that the job is about, parents before their children. */
export function inScope<T extends { readonly name: string }>(
  source: readonly T[],
  job: Pick<ReplicateJob, "source" | "recursive" | "exclude">,
): readonly T[] {
  return source
    .filter(({ name }) => (job.recursive ? isAtOrBelow(name, job.source) : name === job.source))
    .filter(({ name }) => !isExcluded(name, job))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
