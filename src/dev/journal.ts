/** Something that happened in the world: an API call, a change of the cloud, a guest's word. */
export interface JournalEntry {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly type: string;
  readonly [fact: string]: unknown;
}

const MOST_ENTRIES = 10_000;

/** The latest things that happened, and how often each action was called. */
export class Journal {
  #entries: JournalEntry[] = [];
  readonly #calls = new Map<string, number>();

  add(entry: JournalEntry): void {
    this.#entries.push(entry);
    if (this.#entries.length > MOST_ENTRIES) this.#entries = this.#entries.slice(MOST_ENTRIES / 10);
  }

  called(action: string, at: number): void {
    this.#calls.set(action, (this.#calls.get(action) ?? 0) + 1);
    this.add({ at, type: "call", action });
  }

  /** Calls by action, as counted since the start. */
  calls(): Record<string, number> {
    return Object.fromEntries(this.#calls);
  }

  entries(): readonly JournalEntry[] {
    return this.#entries;
  }
}
