/** Name of the pool that a dataset, snapshot or bookmark is in. */
export function poolOf(name: string): string {
  return /^[^/@#]*/.exec(name)?.[0] ?? name;
}

/** The `zpool` that belongs to a `zfs`: beside it when that is a path, else found through PATH as well. */
export function zpoolOf(zfs: string): string {
  const slash = zfs.lastIndexOf("/");
  return slash < 0 ? "zpool" : `${zfs.slice(0, slash + 1)}zpool`;
}

/** Lines of tab-separated fields, as `-H` prints them: names may hold spaces, and never a tab. */
export function rowsOf(text: string): string[][] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split("\t"));
}

/** A whole number that `-p` printed; undefined for "-" and for what is none. */
export function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}
