/** Something that happened in the world: an API call, a change of the cloud, a guest's word. */
export interface JournalEntry {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly type: string;
  readonly [fact: string]: unknown;
}

const MOST_ENTRIES = 10_000;
/** With more than this left, shortening would soon begin again. */
const KEPT_SHARE = 0.9;

/** The latest things that happened, and how often each action was called. */
export class Journal {
  #entries: JournalEntry[] = [];
  readonly #calls = new Map<string, number>();

  add(entry: JournalEntry): void {
    this.#entries.push(entry);
    if (this.#entries.length > MOST_ENTRIES) this.#shorten();
  }

  called(action: string, at: number): void {
    this.#calls.set(action, (this.#calls.get(action) ?? 0) + 1);
    this.add({ at, type: "call", action });
  }

  /** Calls go first: they are many, and what became of machines and volumes is told by the other entries. */
  #shorten(): void {
    const recent = this.#entries.length - MOST_ENTRIES / 10;
    const kept = this.#entries.filter(({ type }, index) => type !== "call" || index >= recent);
    this.#entries = kept.length > MOST_ENTRIES * KEPT_SHARE ? kept.slice(MOST_ENTRIES / 10) : kept;
  }

  /** Calls by action, as counted since the start. */
  calls(): Record<string, number> {
    return Object.fromEntries(this.#calls);
  }

  entries(): readonly JournalEntry[] {
    return this.#entries;
  }
}
