import type { Clock } from "../../src/util/clock.ts";

interface Sleeper {
  readonly due: number;
  readonly order: number;
  readonly wake: () => void;
}

/** A clock that stands still until told to move; sleepers wake in the order of their times. */
export class SimClock implements Clock {
  #now = 1_700_000_000_000;
  #order = 0;
  readonly #sleepers = new Set<Sleeper>();

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const leave = () => {
        this.#sleepers.delete(sleeper);
        reject(signal?.reason);
      };
      const sleeper: Sleeper = {
        due: this.#now + Math.max(ms, 0),
        order: this.#order++,
        wake: () => {
          signal?.removeEventListener("abort", leave);
          resolve();
        },
      };
      signal?.addEventListener("abort", leave, { once: true });
      this.#sleepers.add(sleeper);
    });
  }

  /** Moves on by `ms`, letting everything that wakes run to its next wait before going further. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settled();
    for (let next = this.#first(); next && next.due <= end; next = this.#first()) {
      this.#now = next.due;
      this.#sleepers.delete(next);
      next.wake();
      await settled();
    }
    this.#now = end;
  }

  /** Moves on from sleeper to sleeper until the condition holds; throws when `limitMs` has passed. */
  async until(condition: () => boolean, limitMs: number): Promise<void> {
    const end = this.#now + limitMs;
    await settled();
    while (!condition()) {
      const next = this.#first();
      if (!next || next.due > end) throw new Error(`the condition did not come true within ${limitMs} ms`);
      await this.advance(next.due - this.#now);
    }
  }

  #first(): Sleeper | undefined {
    let first: Sleeper | undefined;
    for (const sleeper of this.#sleepers) {
      if (!first || sleeper.due < first.due || (sleeper.due === first.due && sleeper.order < first.order)) {
        first = sleeper;
      }
    }
    return first;
  }
}

/** Lets everything that can run without time passing run. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}
