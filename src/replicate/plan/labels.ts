/** What those that make snapshots by the clock call their kinds. `frequent`: every quarter of an hour or so. */
export type Label = "frequent" | "hourly" | "daily" | "weekly" | "monthly" | "yearly";

/** `zfs-auto-snap_hourly-2026-11-25-2300`, `…-23h00`, with any prefix or none. */
const zfsAutoSnapshot = /(?:^|_)(frequent|hourly|daily|weekly|monthly|yearly)-\d{4}-\d{2}-\d{2}(?:-|$)/;

/** `autosnap_2026-11-25_23:00:00_hourly`. */
const sanoid = /\d{4}-\d{2}-\d{2}_\d{2}:\d{2}:\d{2}_(frequent|hourly|daily|weekly|monthly|yearly)(?:ly)?$/;

/** What a snapshot was made for, if its name says so as zfs-auto-snapshot or sanoid write it. */
export function labelOf(name: string): Label | undefined {
  return (zfsAutoSnapshot.exec(name)?.[1] ?? sanoid.exec(name)?.[1]) as Label | undefined;
}
