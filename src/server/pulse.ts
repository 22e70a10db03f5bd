import { formatDuration } from "../util/duration.ts";
import type { Limits } from "./limits.ts";

/** Beats for each `keepaliveMs`. */
export const BEATS_PER_KEEPALIVE = 3;

/** Whether a client is still there, told by anything that it sends. */
export interface Pulse {
  /** Something came from the client. */
  heard(): void;
  /** A third of `keepaliveMs` has passed. */
  beat(): void;
}

export interface PulseHandler {
  /** Ask for a sign of life. */
  ask(): void;
  dead(reason: string): void;
}

/**
 * Counts beats instead of comparing times, so that a clock that jumps, or a jump host that slept, takes nobody for
 * dead who was not asked.
 */
export function createPulse(
  limits: Pick<Limits, "keepaliveMs" | "deadAfterMs">,
  handler: PulseHandler,
): Pulse {
  const mostBeats = Math.ceil((limits.deadAfterMs * BEATS_PER_KEEPALIVE) / limits.keepaliveMs);
  let quiet = 0;
  return {
    heard() {
      quiet = 0;
    },
    beat() {
      quiet += 1;
      if (quiet >= mostBeats) {
        handler.dead(`the client gave no sign of life for ${formatDuration(limits.deadAfterMs)}`);
      } else if (quiet % BEATS_PER_KEEPALIVE === 0) {
        handler.ask();
      }
    },
  };
}
