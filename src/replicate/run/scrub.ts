import type { ScrubOutcome } from "../outcome.ts";
import { failureOf } from "../zfs/explain.ts";
import { poolOf } from "../zfs/names.ts";
import { type ScrubState, scrubArgv, scrubState } from "../zfs/pool.ts";
import type { Context } from "./context.ts";
import { where } from "./ends.ts";

export interface Scrubbed {
  readonly outcome: ScrubOutcome;
  /** When it was started, or seen to be finished. */
  readonly at: number | undefined;
}

/** A small pool is looked through by then; of a larger one every run does a part. */
const PATIENCE_MS = 3_000;
const STEP_MS = 100;

/**
 * Starts a scrub of the target's pool when one is due, and tells how the last one stands. One that is not finished is left running: an
 * export does not end it, and it goes on by itself after the next import, which a paused one would not.
 *
 * @throws LazysshError when it cannot be told.
 */
export async function scrub(context: Context, everyMs: number): Promise<Scrubbed> {
  const { ends, job, signal, options } = context;
  const { side, zfs } = ends.target;
  const { clock } = options;
  const pool = poolOf(job.destination);
  const look = () => scrubState(side, zfs, pool, signal);
  const before = await look();
  if (!isDue(before, everyMs, clock.now())) return told(context, pool, before, false);

  options.say(`${pool}: a scrub is due`);
  const ran = await side.run(scrubArgv(zfs, pool), { signal });
  if (ran.status !== 0)
    throw failureOf(ran, { side, zfs, doing: `starting a scrub of ${pool}`, dataset: pool });
  const started = clock.now();
  let now = await look();
  while (now.kind === "running" && clock.now() - started < PATIENCE_MS) {
    await clock.sleep(STEP_MS, signal);
    now = await look();
  }
  return told(context, pool, now, true);
}

function isDue(state: ScrubState, everyMs: number, now: number): boolean {
  if (state.kind === "running") return false;
  // By the other side's clock, which may be ahead.
  if (state.kind === "finished" && state.at !== undefined) return now - state.at >= everyMs;
  return true;
}

function told({ ends, warn, options }: Context, pool: string, state: ScrubState, started: boolean): Scrubbed {
  const words = "words" in state ? state.words : "";
  const now = options.clock.now();
  if (state.kind === "finished") {
    const failed = state.errors > 0;
    if (failed) {
      warn(
        `the scrub of ${pool} ${where(ends.target.side)} has found errors: ${words}; look at zpool status -v ${pool}, and at its disks`,
      );
    }
    const outcome: ScrubOutcome = { pool, state: failed ? "failed" : "finished", result: words };
    return { outcome, at: started ? now : (state.at ?? now) };
  }
  const isNew = started && state.kind !== "running";
  return { outcome: { pool, state: isNew ? "started" : "running", result: words }, at: now };
}
