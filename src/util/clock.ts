import { setTimeout as delay } from "node:timers/promises";

/** Time as the program sees it. Injected, so that tests can run hours in milliseconds. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /**
   * Resolves after `ms` milliseconds; rejects with the signal's reason when it aborts first.
   * A pending sleep does not keep the process alive.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    let left = ms;
    do {
      const step = Math.min(Math.max(left, 0), LONGEST_TIMER_MS);
      left -= step;
      try {
        await delay(step, undefined, { ref: false, ...(signal && { signal }) });
      } catch (error) {
        throw signal?.aborted ? signal.reason : error;
      }
    } while (left > 0);
  },
};

/** Keeps the process alive until disposed: sleeps and signal handlers do not. */
export function stayAlive(): Disposable {
  const timer = setInterval(() => undefined, LONGEST_TIMER_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
