import { createHash } from "node:crypto";
import type { Machine } from "../../providers/index.ts";
import { asLazysshError, LazysshError } from "../../util/errors.ts";
import { backoffMs } from "../../util/retry.ts";
import type { StopContext } from "../end/stop.ts";
import type { StepContext } from "../start/step-context.ts";
import { LEASE_MS, leaseNote, NOTE, noteTime, otherHolders, stoppedBy, stoppingNote } from "./notes.ts";

/**
 * How servers of a group share one machine, through notes on it and nothing else.
 *
 * One machine: the order of the nth start has the same token whoever gives it, so that two orders make one machine. Nobody ends
 * it under another: who ends it first says so (`stopping`), and then looks whether another needs it (`lease:…`); who needs it first
 * says so, and then looks whether another ends it. Whichever way the two interleave, one of them sees the other, and gives way.
 */

/** How long the cloud may take to show a note to the others. */
const SHOWN_MS = 2_000;
/** Between a look at the leases and the end of the machine nothing may happen that takes this long, such as a laptop's sleep. */
const LOOK_IS_GOOD_MS = 10_000;
const LOOK_MS = 1_000;
/** "Not found" proves nothing before this. */
const MISSING_MS = 60_000;
const DAY_MS = 86_400_000;
/** Starts of one target on one day have numbers of their own, so that a server that knows none begins near the right one. */
const STARTS_A_DAY = 10_000;

/** The number of the next start. `known` is the highest that was seen. */
export function nextGeneration(known: number, now: number): number {
  return Math.max(known + 1, Math.floor(now / DAY_MS) * STARTS_A_DAY);
}

export function tokenOf(owner: string, target: string, generation: number): string {
  const digest = createHash("sha256")
    .update(JSON.stringify([owner, target, generation]))
    .digest("hex");
  return `lazyssh-${digest.slice(0, 40)}`;
}

/**
 * Says that this server needs the machine, and resolves with whether it may have it: not when another server is ending it.
 * Asks again until it is clear.
 */
export async function takeShare(context: StepContext, server: string, id: string): Promise<boolean> {
  const { provider, clock, signal, waiting } = context;
  for (;;) {
    const until = noteTime(clock.now() + LEASE_MS);
    await provider.annotate(id, { [leaseNote(server)]: until, [NOTE.expires]: until }, signal);
    await clock.sleep(SHOWN_MS, signal);
    const machine = await provider.describe(id, signal);
    if (machine.phase === "stopping" || machine.phase === "gone") return false;
    const other = stoppedBy(machine, server, clock.now());
    if (other === undefined) return true;
    waiting(`server ${other}, which is about to end machine ${id}`);
    await clock.sleep(LOOK_MS, signal);
  }
}

/**
 * Gives this server's share back, and resolves with whether the machine is to be ended: not when others need it. There is no
 * deadline; who cannot ask does not end what may be another's.
 */
export async function giveShareBack(
  context: StopContext,
  server: string,
  id: string,
): Promise<"end" | "left"> {
  const { provider, clock, signal } = context;
  let missingSince: number | undefined;
  for (let attempt = 1; ; attempt++) {
    try {
      const said = clock.now();
      const notes = { [NOTE.stopping]: stoppingNote(server, said), [leaseNote(server)]: undefined };
      await provider.annotate(id, notes, signal).catch((error: unknown) => unlessForbidden(error, context));
      await clock.sleep(SHOWN_MS, signal);
      const machine = await provider.describe(id, signal);
      missingSince = undefined;
      if (machine.phase === "gone") return "end";
      if (otherHolders(machine, server, clock.now()).length > 0) {
        await provider.annotate(id, { [NOTE.stopping]: undefined }, signal);
        return "left";
      }
      if (clock.now() - said < LOOK_IS_GOOD_MS) return "end";
    } catch (cause) {
      signal.throwIfAborted();
      const error = asLazysshError(cause);
      missingSince = error.code === "MACHINE_NOT_FOUND" ? (missingSince ?? clock.now()) : undefined;
      // The cloud's lists may be behind; when it is really gone, whoever ends it finds that out.
      if (missingSince !== undefined && clock.now() - missingSince > MISSING_MS) return "end";
      context.failing({ error, attempt, machine: id });
      await clock.sleep(backoffMs(attempt), signal);
    }
  }
}

/** Not being allowed to say so is no reason to leave a machine running that nobody says to need. */
function unlessForbidden(error: unknown, { warning }: StopContext): void {
  if (!(error instanceof LazysshError) || error.code !== "NOT_PERMITTED") throw error;
  warning(error.message);
}

/** Of several machines of one target the one that all servers choose. */
export function theOne(machines: readonly Machine[]): Machine | undefined {
  const age = ({ startedAt = 0, id }: Machine) => `${String(startedAt).padStart(16, "0")} ${id}`;
  return [...machines].sort((a, b) => (age(a) < age(b) ? -1 : 1))[0];
}
