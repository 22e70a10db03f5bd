import type { Lease, Targets, Tenant } from "../targets/lease.ts";
import type { Clock } from "../util/clock.ts";
import { createProgress } from "./progress.ts";

export interface BootOptions {
  readonly target: string;
  readonly tenant: Tenant;
  readonly targets: Targets;
  readonly clock: Clock;
  /** Shows a line to the person who waits. */
  readonly say: (line: string) => void;
  /** The client has gone. */
  readonly signal: AbortSignal;
}

/** A stage that takes longer is spoken of again. */
const TICK_MS = 15_000;

/**
 * Starts the target's machine if need be, and shows how far that has come.
 *
 * @returns What keeps the machine until a channel has it.
 * @throws LazysshError in words for the user, or the signal's reason.
 */
export async function bootVisibly(options: BootOptions): Promise<Lease> {
  const { target, tenant, targets, clock, say, signal } = options;
  const progress = createProgress(target, () => clock.now(), say);
  const over = new AbortController();
  const tick = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(TICK_MS, over.signal);
      progress.tick();
    }
  };
  tick().catch(() => undefined);
  let waits = true;
  const told: Tenant["told"] = (stage) => {
    if (waits) progress.stage(stage);
  };
  try {
    const lease = await targets.acquire(target, { ...tenant, told }, signal);
    progress.ready();
    return lease;
  } finally {
    waits = false;
    over.abort("over");
  }
}
