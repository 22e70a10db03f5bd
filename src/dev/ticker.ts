import type { Clock } from "../util/clock.ts";
import type { Cloud } from "./cloud/cloud.ts";

/** Lives the cloud's time as the clock has it: settles whenever something is due. Ends when the signal aborts. */
export async function runCloud(cloud: Cloud, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    cloud.settle();
    const changed = new AbortController();
    const unsubscribe = cloud.onScheduled(() => changed.abort());
    const due = cloud.nextDue();
    const wait = due === undefined ? Number.POSITIVE_INFINITY : due - clock.now();
    // Woken early by the signal, or by something newly scheduled: either way the loop looks again.
    await clock
      .sleep(Math.min(wait, IDLE_MS), AbortSignal.any([signal, changed.signal]))
      .catch(() => undefined);
    unsubscribe();
  }
}

const IDLE_MS = 3_600_000;
