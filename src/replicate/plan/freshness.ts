export interface FreshnessOptions {
  /** Of each dataset, when its newest common snapshot was made, in seconds since the epoch; undefined when there is none. */
  readonly newest: ReadonlyMap<string, number | undefined>;
  readonly maxAgeMs: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface Freshness {
  readonly status: "fresh" | "stale";
  /** The one that is furthest behind. Undefined when there is no dataset at all, which is stale. */
  readonly worst: { readonly dataset: string; readonly ageMs: number | undefined } | undefined;
}

/** Whether what was received is young enough everywhere. A dataset without a snapshot is older than any age. */
export function freshness({ newest, maxAgeMs, now }: FreshnessOptions): Freshness {
  let worst: Freshness["worst"];
  for (const [dataset, creation] of newest) {
    // Clocks differ: what was made in the future has no age.
    const ageMs = creation === undefined ? undefined : Math.max(0, now - creation * 1000);
    if (!worst || (ageMs ?? Infinity) > (worst.ageMs ?? Infinity)) worst = { dataset, ageMs };
  }
  const isFresh = worst?.ageMs !== undefined && worst.ageMs <= maxAgeMs;
  return { status: isFresh ? "fresh" : "stale", worst };
}
