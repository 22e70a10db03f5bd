interface Moment<T> {
  readonly at: number;
  /** Undefined: gone. */
  readonly value: T | undefined;
}

/** How far back it is remembered: longer than any Describe is behind. */
const MEMORY_MS = 3_600_000;

/** What was true when, by id: the memory behind a Describe that is eventually consistent. */
export class Past<T> {
  readonly #moments = new Map<string, Moment<T>[]>();

  /** From `at` on it is so. Undefined: it is gone. */
  set(id: string, at: number, value: T | undefined): void {
    const before = this.#moments.get(id) ?? [];
    const oldest = before.findLastIndex((moment) => moment.at <= at - MEMORY_MS);
    this.#moments.set(id, [...before.slice(Math.max(oldest, 0)), { at, value }]);
  }

  /** It has ever been so. */
  always(id: string, value: T): void {
    this.#moments.set(id, [{ at: Number.NEGATIVE_INFINITY, value }]);
  }

  /** How it was then; undefined for what was not there, or is not known. */
  at(id: string, at: number): T | undefined {
    return this.#moments.get(id)?.findLast((moment) => moment.at <= at)?.value;
  }

  /** All that there was then. */
  allAt(at: number): T[] {
    return [...this.#moments.keys()].flatMap((id) => this.at(id, at) ?? []);
  }
}
