import type { Lease, Targets, Tenant } from "../targets/lease.ts";
import type { Clock } from "../util/clock.ts";
import { createProgress } from "./progress.ts";

interface Watched {
  readonly target: string;
  readonly clock: Clock;
  /** Shows a line to the person who waits. */
  readonly say: (line: string) => void;
}

export interface BootOptions extends Watched {
  readonly tenant: Tenant;
  readonly targets: Targets;
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
  const { target, tenant, targets, signal } = options;
  return await shown(options, (told) => targets.acquire(target, { ...tenant, told }, signal));
}

/** Shows how far `start` has come, which tells its stages. */
export async function shown<T>(
  { target, clock, say }: Watched,
  start: (told: NonNullable<Tenant["told"]>) => Promise<T>,
): Promise<T> {
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
  try {
    const outcome = await start((stage) => {
      if (waits) progress.stage(stage);
    });
    progress.ready();
    return outcome;
  } finally {
    waits = false;
    over.abort("over");
  }
}
