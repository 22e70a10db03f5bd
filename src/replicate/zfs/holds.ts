import type { Side } from "../side.ts";
import { rowsOf } from "./names.ts";

/** Tag of a job's holds. */
export function holdTag(job: string): string {
  return `lazyssh:${job}`;
}

/** `snapshots` are full names. */
export function holdArgv(zfs: string, job: string, snapshots: readonly string[]): string[] {
  return [zfs, "hold", holdTag(job), ...snapshots];
}

export function releaseArgv(zfs: string, job: string, snapshots: readonly string[]): string[] {
  return [zfs, "release", holdTag(job), ...snapshots];
}

/** Only where {@link Features.holds}. */
export function holdsArgv(zfs: string, snapshots: readonly string[]): string[] {
  return [zfs, "holds", "-H", ...snapshots];
}

/** A `hold` that failed because the job has it already. */
export function isHeldAlready(stderr: string): boolean {
  return onlyLines(stderr, /tag already exists/);
}

/** A `release` that failed because there was nothing to be released. */
export function isNotHeld(stderr: string): boolean {
  return onlyLines(stderr, /no such tag on this dataset|dataset does not exist/);
}

function onlyLines(stderr: string, pattern: RegExp): boolean {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "");
  return lines.length > 0 && lines.every((line) => pattern.test(line));
}

export interface Hold {
  /** Full name. */
  readonly snapshot: string;
  readonly tag: string;
}

export function parseHolds(stdout: string): Hold[] {
  return rowsOf(stdout).flatMap(([snapshot, tag]) =>
    snapshot !== undefined && tag !== undefined ? [{ snapshot, tag }] : [],
  );
}

/** So that a command line does not become too long. */
const AT_ONCE = 500;

/** Which of the snapshots the job holds. Undefined where `zfs` cannot tell, or one of them has gone. */
export async function heldBy(
  side: Side,
  zfs: string,
  options: { readonly job: string; readonly snapshots: readonly string[]; readonly signal: AbortSignal },
): Promise<string[] | undefined> {
  const tag = holdTag(options.job);
  const held: string[] = [];
  for (let from = 0; from < options.snapshots.length; from += AT_ONCE) {
    const some = options.snapshots.slice(from, from + AT_ONCE);
    const { status, stdout } = await side.run(holdsArgv(zfs, some), { signal: options.signal });
    if (status !== 0) return undefined;
    held.push(...parseHolds(stdout).flatMap((hold) => (hold.tag === tag ? [hold.snapshot] : [])));
  }
  return held;
}
