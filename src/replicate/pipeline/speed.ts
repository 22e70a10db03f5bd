/** Over how long the present rate is an average. */
const WINDOW_MS = 10_000;
const STEP_MS = 250;

/** The present rate of something that grows. */
export interface Speed {
  /** `total` is the amount so far, `now` in milliseconds. Answers with units per second. */
  at(total: number, now: number): number;
}

export function createSpeed(now: number): Speed {
  const samples = [{ at: now, total: 0 }];
  return {
    at(total, time) {
      const last = samples.at(-1);
      if (!last || time - last.at >= STEP_MS) samples.push({ at: time, total });
      // The oldest one is kept just outside of the window.
      while ((samples[1]?.at ?? time) < time - WINDOW_MS) samples.shift();
      const first = samples[0];
      if (!first || time <= first.at) return 0;
      return Math.max(((total - first.total) / (time - first.at)) * 1_000, 0);
    },
  };
}
