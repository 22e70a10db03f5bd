import type { Dataset, Point } from "../model.ts";
import { newerThan } from "./points.ts";
import type { Base, Step } from "./steps.ts";

interface Route {
  readonly source: Dataset;
  readonly target: string;
  /** What is to arrive if all in between is wanted, in order; the last of it arrives in any case. */
  readonly wanted: readonly Point[];
  readonly intermediates: boolean;
}

/** Everything anew: the oldest in full and the others as increments, or only the newest. */
export function fromNothing({ source, target, wanted, intermediates }: Route): readonly Step[] {
  const first = intermediates ? wanted[0] : wanted.at(-1);
  if (!first) return [];
  const full: Step = { kind: "full", source: source.name, target, snapshot: first };
  return [full, ...fromSnapshot({ source, target, wanted, intermediates }, first)];
}

/** On from a snapshot that arrived under the name that it has on the source. */
export function fromSnapshot(route: Route, { guid, name, createtxg }: Point): readonly Step[] {
  return fromBase(route, { kind: "snapshot", name, targetName: name, guid }, createtxg);
}

/**
 * On from what both sides have; `createtxg` is its place on the source. `-I` takes along all snapshots in between, so that it
 * serves only stretches of which all are wanted, and `zfs` does not take it from a bookmark. The others go one by one.
 */
export function fromBase(
  { source, target, wanted, intermediates }: Route,
  base: Base,
  createtxg: bigint,
): readonly Step[] {
  const steps: Step[] = [];
  let from = base;
  for (const snapshots of intermediates
    ? stretches(source, wanted, base, createtxg)
    : last(wanted, createtxg)) {
    const snapshot = snapshots.at(-1);
    if (!snapshot) continue;
    steps.push({
      kind: "incremental",
      source: source.name,
      target,
      base: from,
      snapshot,
      intermediates: snapshots.length > 1,
      snapshots,
    });
    from = { kind: "snapshot", name: snapshot.name, targetName: snapshot.name, guid: snapshot.guid };
  }
  return steps;
}

function last(wanted: readonly Point[], createtxg: bigint): readonly (readonly Point[])[] {
  const newest = newerThan(wanted, createtxg).at(-1);
  return newest ? [[newest]] : [];
}

function stretches(
  source: Dataset,
  wanted: readonly Point[],
  base: Base,
  createtxg: bigint,
): readonly (readonly Point[])[] {
  const guids = new Set(wanted.map(({ guid }) => guid));
  const found: Point[][] = [];
  /** Of the last stretch: whether `-I` can take more into it. */
  let open = false;
  let gap = base.kind === "bookmark";
  for (const point of newerThan(source.snapshots, createtxg)) {
    if (!guids.has(point.guid)) {
      gap = true;
      continue;
    }
    if (open && !gap) found.at(-1)?.push(point);
    else found.push([point]);
    // A stretch that began after a gap has room for one; the next one begins right after it.
    open = !gap;
    gap = false;
  }
  return found;
}
