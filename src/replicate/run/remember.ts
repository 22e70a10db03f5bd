import type { DatasetResult } from "./dataset.ts";
import type { Remembered } from "./options.ts";

/** GUIDs of what is on the target and came from the source, in this run or before. */
export function receivedOf(
  { source, target, outcome }: DatasetResult,
  remembered: Remembered | undefined,
): readonly string[] {
  const known = new Set([
    ...(remembered?.received.get(outcome.target) ?? []),
    ...(source?.snapshots ?? []).map(({ guid }) => guid),
    ...(source?.bookmarks ?? []).map(({ guid }) => guid),
  ]);
  return (target?.snapshots ?? []).flatMap(({ guid }) => (known.has(guid) ? [guid] : []));
}

export function toRemember(
  results: readonly DatasetResult[],
  received: ReadonlyMap<string, readonly string[]>,
  {
    at,
    earlier,
    scrubbedAt,
  }: { at: number; earlier: Remembered | undefined; scrubbedAt: number | undefined },
): Remembered {
  const newest = results.flatMap(({ outcome }) =>
    (outcome.status === "ok" || outcome.status === "current") && outcome.newest
      ? [[outcome.target, outcome.newest] as const]
      : [],
  );
  return {
    at,
    newest: new Map(newest),
    // Of those that could not be looked at, what was known before.
    received: new Map([...(earlier?.received ?? []), ...received]),
    scrubbedAt: scrubbedAt ?? earlier?.scrubbedAt,
  };
}
