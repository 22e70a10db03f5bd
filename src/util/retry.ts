import type { Clock } from "./clock.ts";
import { asLazysshError, type LazysshError } from "./errors.ts";

export interface Persistence<T> {
  readonly clock: Clock;
  /** Ends the loop: it rejects with the signal's reason. */
  readonly signal: AbortSignal;
  /** How long to wait before asking again, from the milliseconds since the first attempt. */
  readonly interval: (elapsedMs: number) => number;
  /** Answers `undefined` for "not yet". */
  readonly attempt: (signal: AbortSignal) => Promise<T | undefined>;
  /** Told of each failure that will be retried. */
  readonly onRetry: (failure: RetriedFailure) => void;
}

export interface RetriedFailure {
  readonly error: LazysshError;
  /** Failures in a row, from 1. */
  readonly attempt: number;
  readonly waitMs: number;
}

/**
 * Asks until there is an answer. Retryable failures are waited out with exponential backoff; any other is thrown.
 * It has no end of its own: give it a signal with a deadline, unless for ever is meant.
 */
export async function persist<T>(options: Persistence<T>): Promise<T> {
  const { clock, signal } = options;
  const started = clock.now();
  let failures = 0;
  for (;;) {
    signal.throwIfAborted();
    let waitMs: number;
    try {
      const answer = await options.attempt(signal);
      if (answer !== undefined) return answer;
      failures = 0;
      waitMs = options.interval(clock.now() - started);
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      const error = asLazysshError(cause);
      if (!error.retryable) throw error;
      failures += 1;
      waitMs = backoffMs(failures);
      options.onRetry({ error, attempt: failures, waitMs });
    }
    await clock.sleep(waitMs, signal);
  }
}

/** 0.5 s, 1 s, 2 s … up to 15 s, each shortened by up to a quarter, so that many do not knock in step. */
export function backoffMs(attempt: number): number {
  const full = Math.min(500 * 2 ** (attempt - 1), 15_000);
  return Math.round(full * (0.75 + Math.random() / 4));
}

/** An interval that grows with the time already waited: late is then never later than that share of the wait. */
export function growingInterval(share: number, minMs: number, maxMs: number): (elapsedMs: number) => number {
  return (elapsedMs) => Math.min(Math.max(elapsedMs * share, minMs), maxMs);
}
