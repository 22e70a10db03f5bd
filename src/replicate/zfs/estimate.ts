import { numberOf, rowsOf } from "./names.ts";

/** Bytes that `zfs send -nP` has said a stream would have; undefined when it has not. */
export function readEstimate(stdout: string): number | undefined {
  const row = rowsOf(stdout).findLast(([what]) => what === "size");
  return numberOf(row?.[1]);
}
