import type { Features } from "../model.ts";

/** `snapshot` and `bookmark` are what stands after the "@" and the "#". */
export function bookmarkArgv(zfs: string, dataset: string, snapshot: string, bookmark: string): string[] {
  return [zfs, "bookmark", `${dataset}@${snapshot}`, `${dataset}#${bookmark}`];
}

/** Back to a snapshot, with all snapshots after it. */
export function rollbackArgv(zfs: string, dataset: string, snapshot: string): string[] {
  return [zfs, "rollback", "-r", `${dataset}@${snapshot}`];
}

/** Gives up what an interrupted receive has left. */
export function discardArgv(zfs: string, dataset: string): string[] {
  return [zfs, "recv", "-A", dataset];
}

/** A dataset with its snapshots; never with its children. */
export function destroyArgv(zfs: string, dataset: string): string[] {
  return [zfs, "destroy", "-r", dataset];
}

/** One bookmark, which zfs does not take with flags. */
export function destroyBookmarkArgv(zfs: string, dataset: string, bookmark: string): string[] {
  return [zfs, "destroy", `${dataset}#${bookmark}`];
}

const AT_ONCE = 100;

/** Commands that destroy snapshots of one dataset, and nothing else: as few as its `zfs` can do it with. */
export function destroySnapshotsArgv(
  zfs: string,
  dataset: string,
  names: readonly string[],
  features: Features,
): string[][] {
  const wrong = names.find((name) => name === "" || /[@#/,%\t\n]/.test(name));
  if (wrong !== undefined) throw new Error(`not the name of one snapshot: ${JSON.stringify(wrong)}`);
  // Lists are older than bookmarks.
  const atOnce = features.bookmarks ? AT_ONCE : 1;
  const commands: string[][] = [];
  for (let from = 0; from < names.length; from += atOnce) {
    const some = names.slice(from, from + atOnce);
    commands.push([zfs, "destroy", `${dataset}@${some.join(",")}`]);
  }
  return commands;
}
