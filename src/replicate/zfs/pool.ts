import type { Side } from "../side.ts";
import { failureOf } from "./explain.ts";
import { numberOf, rowsOf, zpoolOf } from "./names.ts";

export interface PoolHealth {
  /** Nothing is wrong with it. A pool that could be upgraded is healthy. */
  readonly healthy: boolean;
  /** Whether it can be written to: a degraded pool can, a suspended one cannot. */
  readonly usable: boolean;
  /** `ONLINE`, `DEGRADED`, `SUSPENDED` … */
  readonly state: string;
  /** In `zpool status`' words, on one line; empty when healthy. */
  readonly words: string;
}

/**
 * @throws LazysshError when there is no such pool, or it cannot be told.
 */
export async function poolHealth(
  side: Side,
  zfs: string,
  pool: string,
  signal: AbortSignal,
): Promise<PoolHealth> {
  const text = await status(side, { zfs, pool, flags: ["-x"], signal });
  return parseHealth(text);
}

/** From what `zpool status -x POOL` has printed. */
export function parseHealth(text: string): PoolHealth {
  if (/^pool '.*' is healthy$/m.test(text))
    return { healthy: true, usable: true, state: "ONLINE", words: "" };
  const state = field(text, "state") ?? "unknown";
  const errors = field(text, "errors");
  const notice = field(text, "status") ?? "";
  const hasErrors = errors !== undefined && errors !== "No known data errors";
  const onlyOld = /features are not enabled|older on-disk format/.test(notice);
  const healthy = state === "ONLINE" && !hasErrors && (notice === "" || onlyOld);
  const words = [`${state}`, notice, hasErrors ? errors : ""].filter((part) => part !== "").join(": ");
  return { healthy, usable: state === "ONLINE" || state === "DEGRADED", state, words: healthy ? "" : words };
}

export type ScrubState =
  | { readonly kind: "never" }
  /** `percent` undefined: it has just begun. */
  | { readonly kind: "running"; readonly percent: number | undefined; readonly words: string }
  | { readonly kind: "paused"; readonly percent: number | undefined; readonly words: string }
  /** `at` in milliseconds since the epoch, by the clock and zone of the side; undefined when it cannot be read. */
  | {
      readonly kind: "finished";
      readonly at: number | undefined;
      readonly errors: number;
      readonly words: string;
    }
  | { readonly kind: "cancelled"; readonly at: number | undefined; readonly words: string }
  /** A resilver, which takes the place of what was known of the last scrub. */
  | { readonly kind: "resilver"; readonly words: string };

/** @throws LazysshError when there is no such pool, or it cannot be told. */
export async function scrubState(
  side: Side,
  zfs: string,
  pool: string,
  signal: AbortSignal,
): Promise<ScrubState> {
  return parseScrub(await status(side, { zfs, pool, flags: [], signal }));
}

/** From what `zpool status POOL` has printed. Dates are read as UTC unless this process knows the zone: they name none. */
export function parseScrub(text: string): ScrubState {
  const words = field(text, "scan") ?? field(text, "scrub");
  if (words === undefined || /^none requested/.test(words)) return { kind: "never" };
  const percent = numberIn(/([\d.]+)% done/.exec(words)?.[1]);
  if (/^scrub paused/.test(words)) return { kind: "paused", percent, words };
  if (/^scrub in progress/.test(words)) return { kind: "running", percent, words };
  if (/^resilver/.test(words)) return { kind: "resilver", words };
  const on = Date.parse(/ on (.+)$/.exec(words)?.[1] ?? "");
  const at = Number.isNaN(on) ? undefined : on;
  if (/^scrub (?:canceled|stopped)/.test(words)) return { kind: "cancelled", at, words };
  return { kind: "finished", at, errors: numberIn(/with (\d+) errors/.exec(words)?.[1]) ?? 0, words };
}

/** Starts one, or goes on with one that was paused. */
export function scrubArgv(zfs: string, pool: string): string[] {
  return [zpoolOf(zfs), "scrub", pool];
}

/** Not on zfs-fuse. */
export function pauseScrubArgv(zfs: string, pool: string): string[] {
  return [zpoolOf(zfs), "scrub", "-p", pool];
}

/** Bytes that may still be written to a dataset, with regard to quotas. */
export async function freeBytes(
  side: Side,
  zfs: string,
  dataset: string,
  signal: AbortSignal,
): Promise<number> {
  const ran = await side.run([zfs, "get", "-Hp", "available", dataset], { signal });
  const bytes = ran.status === 0 ? numberOf(rowsOf(ran.stdout)[0]?.[2]) : undefined;
  if (bytes === undefined)
    throw failureOf(ran, { side, zfs, doing: `asking for the free space of ${dataset}`, dataset });
  return bytes;
}

async function status(
  side: Side,
  { zfs, pool, flags, signal }: { zfs: string; pool: string; flags: readonly string[]; signal: AbortSignal },
): Promise<string> {
  const ran = await side.run([zpoolOf(zfs), "status", ...flags, pool], { signal });
  if (ran.status !== 0)
    throw failureOf(ran, { side, zfs, doing: `asking for the state of pool ${pool}`, dataset: pool });
  return ran.stdout;
}

/** What stands behind "name:", with the lines that go on, as one. */
function field(text: string, name: string): string | undefined {
  const found = new RegExp(`^ *${name}: (.*(?:\\n\\t.*)*)`, "m").exec(text)?.[1];
  return found?.replaceAll(/\s*\n\s*/g, " ").trim();
}

function numberIn(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}
