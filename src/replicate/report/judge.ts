import { formatDuration } from "../../util/duration.ts";
import type { RunStatus } from "../outcome.ts";
import { type FreshnessOptions, freshness } from "../plan/freshness.ts";
import { harmless } from "./harmless.ts";

export interface JudgeOptions extends Omit<FreshnessOptions, "newest"> {
  readonly job: string;
  /** Of each dataset, as for `freshness`. Undefined when nothing could be learnt of any: then it has failed. */
  readonly newest: FreshnessOptions["newest"] | undefined;
  /** Where it was read. */
  readonly source: "target" | "last verified run";
}

export interface Judgement {
  readonly status: Extract<RunStatus, "ok" | "stale" | "failed">;
  /** The first says it all, as monitoring shows it: `OK - safe: newest snapshot 12m old (limit 1h)`. */
  readonly lines: readonly string[];
}

/** What `lazyssh replicate check` says of a job. */
export function judge({ job, newest, maxAgeMs, now, source }: JudgeOptions): Judgement {
  if (newest === undefined) {
    return {
      status: "failed",
      lines: [harmless(`UNKNOWN - ${job}: nothing is known of it from the ${source}`)],
    };
  }
  const { status, worst } = freshness({ newest, maxAgeMs, now });
  const limit = `(limit ${formatDuration(maxAgeMs)})`;
  const isFresh = status === "fresh";
  const about = newest.size > 1 && worst && !isFresh ? `${worst.dataset}: ` : "";
  const first = `${isFresh ? "OK" : "CRITICAL"} - ${job}: ${about}${ageOf(worst)} ${limit}`;
  const each = [...newest].map(([dataset, creation]) => {
    const ageMs = creation === undefined ? undefined : Math.max(0, now - creation * 1000);
    return `${dataset}: ${ageOf({ ageMs })}`;
  });
  return {
    status: isFresh ? "ok" : "stale",
    lines: [first, ...each, `as the ${source} says`].map(harmless),
  };
}

function ageOf(worst: { readonly ageMs: number | undefined } | undefined): string {
  if (!worst) return "there is no dataset";
  if (worst.ageMs === undefined) return "no snapshot";
  return `newest snapshot ${worst.ageMs < 1_000 ? "0 s" : formatDuration(worst.ageMs)} old`;
}
