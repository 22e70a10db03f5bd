import type { Clock } from "../../util/clock.ts";

/** Lets bytes through at a steady rate. */
export interface RateLimit {
  /** The most that should be asked for at once, so that the flow stays smooth. */
  readonly slice: number;
  /** Resolves when the bytes may go; undefined when they may at once. Rejects with the signal's reason. */
  take(bytes: number, signal: AbortSignal): Promise<void> | undefined;
}

/** What was not used may be made up for this long: timers that come late, a receiver that was busy. */
const BURST_MS = 250;
/** Timers are exact to about a millisecond: bytes go that little ahead of their time, rather than each with a timer. */
const AHEAD_MS = 5;

/** A bucket of tokens, kept as the time when the last byte let through would have been due. */
export function createRateLimit(clock: Clock, bytesPerSecond: number): RateLimit {
  let due = clock.now();
  return {
    slice: Math.max(1, Math.floor(bytesPerSecond / 50)),
    take(bytes, signal) {
      const now = clock.now();
      const cost = (bytes / bytesPerSecond) * 1_000;
      due = Math.max(due, now - BURST_MS) + cost;
      // The clock may be set back by hand or by NTP.
      due = Math.min(due, now + cost + BURST_MS);
      const wait = due - now;
      return wait > AHEAD_MS ? clock.sleep(wait, signal) : undefined;
    },
  };
}
