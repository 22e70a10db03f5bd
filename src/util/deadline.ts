import type { Clock } from "./clock.ts";

/** A signal that aborts when time is up, or when one it is linked to does. Dispose it to end both. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
}

/** Not an error: each would hold the stack of where it was made, and what that holds. */
const DISPOSED = "disposed";

/**
 * `reason` is asked for only when the time is up, so that it can tell how far things had come.
 *
 * Not by `AbortSignal.any`: Node keeps such a signal, with all that listens to it, as long as those it is made of.
 */
export function deadline(
  clock: Clock,
  ms: number,
  reason: () => unknown,
  ...linked: readonly AbortSignal[]
): Deadline {
  const controller = new AbortController();
  const stop = new AbortController();
  clock.sleep(ms, stop.signal).then(
    () => controller.abort(reason()),
    () => undefined,
  );
  const leave = linked.map((signal) => {
    const follow = (): void => controller.abort(signal.reason);
    if (signal.aborted) follow();
    else signal.addEventListener("abort", follow, { once: true });
    return () => signal.removeEventListener("abort", follow);
  });
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      stop.abort(DISPOSED);
      for (const each of leave) each();
    },
  };
}

/** The promise's outcome, or the signal's reason when that comes first. */
export function unlessAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const leave = () => reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
}
