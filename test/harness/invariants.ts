/*
 * What the event log of a dev world (`world.state().events`) says about the two promises, after the fact: how many
 * machines there were at once, and how many held a volume at once. Pure, so that any log can be asked.
 */

/** An entry of the log; those of other types are passed over. */
export interface LogEntry {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly type: string;
  readonly [fact: string]: unknown;
}

/** States in which the system of an instance may be up: it can write to its volumes, and answer. */
const UP: ReadonlySet<unknown> = new Set(["pending", "running", "stopping", "shutting-down"]);

/**
 * The most instances that were up at once, from `pending` until seen `stopped` or `terminated`.
 *
 * @param target those with this tag `lazyssh:target` at launch. Default: all.
 */
export function mostRunning(events: readonly LogEntry[], target?: string): number {
  const targets = new Map<unknown, string | undefined>();
  return mostAtOnce(events, (entry, up) => {
    if (entry.type === "instance.launched") targets.set(entry.instance, targetOf(entry));
    if (entry.type !== "instance.state") return;
    if (target !== undefined && targets.get(entry.instance) !== target) return;
    if (UP.has(entry.state)) up.add(entry.instance);
    else up.delete(entry.instance);
  });
}

/** The most instances that held a volume at once, from `attaching` until `detached`. */
export function mostAttached(events: readonly LogEntry[], volume: string): number {
  return mostAtOnce(events, (entry, holders) => {
    if (entry.type !== "volume.attachment" || entry.volume !== volume) return;
    if (entry.state === "detached") holders.delete(entry.instance);
    else holders.add(entry.instance);
  });
}

/** The ids of instances that are still up when the log ends: what a quiet world must not have. */
export function stillRunning(events: readonly LogEntry[]): string[] {
  const last = new Map<unknown, unknown>();
  for (const { type, instance, state } of events) if (type === "instance.state") last.set(instance, state);
  return [...last].flatMap(([id, state]) => (UP.has(state) ? [String(id)] : []));
}

function mostAtOnce(
  events: readonly LogEntry[],
  step: (entry: LogEntry, present: Set<unknown>) => void,
): number {
  const present = new Set<unknown>();
  let most = 0;
  for (const entry of events) {
    step(entry, present);
    most = Math.max(most, present.size);
  }
  return most;
}

function targetOf({ tags }: LogEntry): string | undefined {
  const value =
    typeof tags === "object" && tags !== null
      ? (tags as Readonly<Record<string, unknown>>)["lazyssh:target"]
      : undefined;
  return typeof value === "string" ? value : undefined;
}
