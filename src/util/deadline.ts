import type { Clock } from "./clock.ts";

/** A signal that aborts when time is up, or when one it is linked to does. Dispose it to stop the timer. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
}

/** `reason` is asked for only when the time is up, so that it can tell how far things had come. */
export function deadline(
  clock: Clock,
  ms: number,
  reason: () => unknown,
  ...linked: readonly AbortSignal[]
): Deadline {
  const timer = new AbortController();
  const stop = new AbortController();
  clock.sleep(ms, stop.signal).then(
    () => timer.abort(reason()),
    () => undefined,
  );
  return {
    signal: linked.length === 0 ? timer.signal : AbortSignal.any([timer.signal, ...linked]),
    [Symbol.dispose]: () => stop.abort(),
  };
}
