import { LazysshError } from "../../util/errors.ts";

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

/**
 * The same of output that has to be there to its end: one that was cut off must not pass for one that says less.
 *
 * @param fields How many each row has.
 * @throws LazysshError `ZFS_FAILED` when the last line has no end, or a row has not so many fields.
 */
export function wholeRowsOf(text: string, fields: number): string[][] {
  const rows = rowsOf(text);
  const bad = rows.find((row) => row.length !== fields);
  if (bad === undefined && (text === "" || text.endsWith("\n"))) return rows;
  const last = (bad ?? rows.at(-1) ?? []).join(" ");
  throw cutOff(`it has "${last}" where a line of ${fields} fields was to be`);
}

export function cutOff(why: string): LazysshError {
  return new LazysshError(
    "ZFS_FAILED",
    `what zfs has printed was cut off or changed on its way: ${why}; run the job again, and look at the zfs and the ssh that are used`,
  );
}

/** A whole number that `-p` printed; undefined for "-" and for what is none. */
export function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}
