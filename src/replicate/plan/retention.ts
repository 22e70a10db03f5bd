import type { Keep } from "../../config/replicate.ts";
import type { Point } from "../model.ts";
import { labelOf } from "./labels.ts";
import { inOrder } from "./points.ts";

export interface RetentionOptions {
  /** Of one dataset, on the receiving side. */
  readonly snapshots: readonly Point[];
  readonly keep: Keep;
  /** Those that this job has made there: nothing else is destroyed, or counts. By GUID, or by what the function says. */
  readonly ours: ReadonlySet<string> | ((snapshot: Point) => boolean);
  /** GUIDs of what must stay, above all the newest common snapshot: without it there is no increment any more. */
  readonly protect: ReadonlySet<string>;
}

/**
 * The snapshots that the receiving side need not keep, oldest first. Kept are the `last` newest, and of each of the last so many
 * hours, days, weeks (Monday to Sunday), months and years that have a snapshot, one; all in UTC. A snapshot may be kept on several
 * accounts. Of an hour, a day … the one is the newest of those whose name is labelled for it (`…_daily-2026-11-25-0000` for a
 * day), and where none is, the newest of all: so that it is the source's own dailies that stay, while a source that only makes
 * hourly ones still has its days kept. The newest that is ours always stays, whatever `keep` says.
 */
export function retention({ snapshots, keep, ours, protect }: RetentionOptions): readonly Point[] {
  const isOurs = typeof ours === "function" ? ours : ({ guid }: Point) => ours.has(guid);
  const own = inOrder(snapshots).filter(isOurs);
  const newestFirst = [...own].reverse();
  const kept = new Set(newestFirst.slice(0, Math.max(keep.last, 1)));
  for (const [label, bucketOf] of buckets) {
    const best = new Map<number, Point>();
    for (const point of newestFirst) {
      const bucket = bucketOf(new Date(point.creation * 1000));
      const other = best.get(bucket);
      if (!other || (labelOf(other.name) !== label && labelOf(point.name) === label)) best.set(bucket, point);
    }
    const latest = [...best].sort(([a], [b]) => b - a).slice(0, keep[label]);
    for (const [, point] of latest) kept.add(point);
  }
  return own.filter((point) => !kept.has(point) && !protect.has(point.guid));
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** For each account, which one of its hours, days … a time is in. */
const buckets = [
  ["hourly", (time: Date) => Math.floor(time.getTime() / HOUR)],
  ["daily", (time: Date) => Math.floor(time.getTime() / DAY)],
  // The epoch began on a Thursday.
  ["weekly", (time: Date) => Math.floor((time.getTime() / DAY + 3) / 7)],
  ["monthly", (time: Date) => time.getUTCFullYear() * 12 + time.getUTCMonth()],
  ["yearly", (time: Date) => time.getUTCFullYear()],
] as const;
