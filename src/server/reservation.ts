import type { Lease } from "../targets/lease.ts";
import type { Clock } from "../util/clock.ts";
import { type Deadline, deadline } from "../util/deadline.ts";
import { LazysshError } from "../util/errors.ts";
import { type BootOptions, bootVisibly } from "./boot.ts";

/** The machine that is booted during a login: kept until a channel has it, or the client has left. */
export interface Reservation {
  /**
   * Resolves when the machine is there, and reserved for a while.
   *
   * @throws LazysshError in words for the user, or because of `leave`.
   */
  boot(options: Omit<BootOptions, "clock" | "signal">): Promise<void>;
  /** A channel has its own lease, or will get none. Idempotent. */
  giveBack(): void;
  /** The client has gone: a boot under way is of no use any more. */
  leave(reason: string): void;
}

/** @param handoverMs How long the machine is kept for the channel that is to come. */
export function createReservation(clock: Clock, handoverMs: number): Reservation {
  /** As long as a machine is booted. */
  let booting: AbortController | undefined;
  /** Why the client has left. */
  let gone: string | undefined;
  let lease: Lease | undefined;
  let handover: Deadline | undefined;
  const giveBack = (): void => {
    handover?.[Symbol.dispose]();
    lease?.release();
    lease = undefined;
  };
  return {
    async boot(options) {
      if (gone !== undefined) throw cancelled(gone);
      booting = new AbortController();
      try {
        lease = await bootVisibly({ ...options, clock, signal: booting.signal });
      } finally {
        booting = undefined;
      }
      if (gone !== undefined) {
        giveBack();
        throw cancelled(gone);
      }
      handover = deadline(clock, handoverMs, () => "no channel was opened");
      handover.signal.addEventListener("abort", giveBack);
    },
    giveBack,
    leave(reason) {
      gone = reason;
      booting?.abort(cancelled(reason));
      giveBack();
    },
  };
}

function cancelled(reason: string): LazysshError {
  return new LazysshError("BOOT_CANCELLED", reason);
}
