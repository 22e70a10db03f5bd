import type { ReplicateJob } from "../../config/replicate.ts";
import type { Features } from "../model.ts";
import { programsOf, TRANSFER_PROGRAMS } from "../pipeline/compression.ts";
import type { Side } from "../side.ts";
import { detectFeatures } from "../zfs/features.ts";

/** One end of the way: a side with its `zfs`, and what there is on it. */
export interface End {
  readonly side: Side;
  readonly zfs: string;
  readonly features: Features;
  /** Those of {@link TRANSFER_PROGRAMS} that are there. */
  readonly programs: readonly string[];
}

export interface Ends {
  readonly source: End;
  readonly target: End;
}

/** Which side is which. */
export function sidesOf(
  job: ReplicateJob,
  here: Side,
  there: Side,
): { readonly source: { side: Side; zfs: string }; readonly target: { side: Side; zfs: string } } {
  const own = { side: here, zfs: job.zfs };
  const other = { side: there, zfs: job.remoteZfs };
  return job.direction === "push" ? { source: own, target: other } : { source: other, target: own };
}

/** @throws LazysshError when the side has no `zfs` that works. */
export async function lookAtEnd(side: Side, zfs: string, signal: AbortSignal): Promise<End> {
  const [features, programs] = await Promise.all([
    detectFeatures(side, zfs, signal),
    programsOf(side, TRANSFER_PROGRAMS, signal),
  ]);
  return { side, zfs, features, programs };
}

/** "on archiver", "here". */
export function where({ name, remote }: Pick<Side, "name" | "remote">): string {
  return remote ? `on ${name}` : "here";
}
