import type { Dataset, Features, Point } from "../model.ts";
import { newestOf } from "./points.ts";

/** What an interrupted receive is worth. */
export type TokenVerdict =
  | { readonly kind: "resume"; readonly token: string; readonly snapshot: Point }
  /** The reason fits after "given up, since". */
  | { readonly kind: "useless"; readonly reason: string };

/**
 * Whether the receive can go on: its snapshot is still there, still wanted, and not yet on the target. `common` is the newest
 * common snapshot, as it stands on the source. Undefined where there is no token, or none that the target's `zfs` could handle.
 */
export function judgeToken(
  target: Dataset,
  wanted: readonly Point[],
  common: Point | undefined,
  features: { readonly source: Features; readonly target: Features },
): TokenVerdict | undefined {
  const token = target.resumeToken;
  if (!token || !features.target.resume) return undefined;
  const name = token.toName ?? "the snapshot that was being sent";
  const snapshot = wanted.find(({ guid }) => guid === token.toGuid);
  if (token.toGuid === undefined) return useless("its resume token cannot be read");
  if (!features.source.resume) return useless("zfs on the source cannot go on with a stream");
  if (!snapshot) return useless(`${name} is gone from the source, or not selected any more`);
  // Only a first receive begins with nothing.
  if (newestOf(target.snapshots) && !common) return useless("what it builds on is gone from the source");
  if (common && snapshot.createtxg <= common.createtxg) {
    return useless(`the target already has ${name}, or a newer one`);
  }
  return { kind: "resume", token: token.token, snapshot };
}

function useless(reason: string): TokenVerdict {
  return { kind: "useless", reason };
}
