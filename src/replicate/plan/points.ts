import type { SnapshotFilter } from "../../config/replicate.ts";
import type { Dataset, Point } from "../model.ts";
import { selects } from "./names.ts";
import type { Base } from "./steps.ts";

/** In the order in which they were made. `zfs` never makes two snapshots of a dataset in one transaction group. */
export function inOrder(points: readonly Point[]): readonly Point[] {
  return [...points].sort((a, b) => (a.createtxg < b.createtxg ? -1 : a.createtxg > b.createtxg ? 1 : 0));
}

export function newestOf(points: readonly Point[]): Point | undefined {
  return inOrder(points).at(-1);
}

export function newerThan(points: readonly Point[], createtxg: bigint): readonly Point[] {
  return inOrder(points).filter((point) => point.createtxg > createtxg);
}

export function selected(points: readonly Point[], filter: SnapshotFilter): readonly Point[] {
  return inOrder(points).filter(({ name }) => selects(filter, name));
}

/** A snapshot that both sides have, with its place in the order of each. */
export interface Common {
  readonly base: Base;
  readonly onSource: Point;
  readonly onTarget: Point;
}

/**
 * The newest snapshot that both have, by GUID, whatever it is called on either side. A bookmark of the source does as well
 * where the snapshot itself is gone from there.
 */
export function newestCommon(source: Dataset, target: Dataset, bookmarks: boolean): Common | undefined {
  const there = new Map(target.snapshots.map((point) => [point.guid, point]));
  const shared = (points: readonly Point[]) => newestOf(points.filter(({ guid }) => there.has(guid)));
  const snapshot = shared(source.snapshots);
  const bookmark = bookmarks ? shared(source.bookmarks) : undefined;
  const useBookmark = bookmark && (!snapshot || bookmark.createtxg > snapshot.createtxg);
  const onSource = useBookmark ? bookmark : snapshot;
  const onTarget = onSource && there.get(onSource.guid);
  if (!onTarget) return undefined;
  const kind = useBookmark ? "bookmark" : "snapshot";
  return {
    base: { kind, name: onSource.name, targetName: onTarget.name, guid: onSource.guid },
    onSource,
    onTarget,
  };
}
