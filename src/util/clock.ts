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
  // Not that of node:timers/promises, which makes an error with its stack for each sleep that is ended early.
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      let left = ms;
      let timer: NodeJS.Timeout;
      const leave = (): void => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const wait = (): void => {
        const step = Math.min(Math.max(left, 0), LONGEST_TIMER_MS);
        left -= step;
        timer = setTimeout(over, step);
        timer.unref();
      };
      const over = (): void => {
        if (left > 0) {
          wait();
          return;
        }
        signal?.removeEventListener("abort", leave);
        resolve();
      };
      signal?.addEventListener("abort", leave, { once: true });
      wait();
    }),
};

/** Keeps the process alive until disposed: sleeps and signal handlers do not. */
export function stayAlive(): Disposable {
  const timer = setInterval(() => undefined, LONGEST_TIMER_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
