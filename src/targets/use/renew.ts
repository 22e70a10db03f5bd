import { asLazysshError } from "../../util/errors.ts";
import type { MachineContext } from "../context.ts";
import { LEASE_MS, leaseNote, NOTE, noteTime, RENEW_MS } from "../group/notes.ts";

/** After a failure it is tried again sooner: the note must not run out while the machine is used. */
const AGAIN_MS = 10_000;

/**
 * Says on the machine, again and again, that it is still needed; a dead man's switch in the guest, the other servers of the group
 * and a cron job that clears up go by it. Ends when the signal aborts.
 *
 * A failure is told and the next turn waited for: several may fail before the note runs out. So is a refusal, but it is told once: it
 * may be that of a moment, and a lease that is not renewed any more lets others end a machine that is in use.
 */
export async function renew(context: MachineContext, id: string, signal: AbortSignal): Promise<void> {
  const { provider, clock, events, target, server, group } = context;
  let forbidden = false;
  for (let attempt = 1; !signal.aborted; attempt++) {
    let waitMs = RENEW_MS;
    const until = noteTime(clock.now() + LEASE_MS);
    const notes = { [NOTE.expires]: until, ...(group !== undefined && { [leaseNote(server)]: until }) };
    try {
      await provider.annotate(id, notes, signal);
      attempt = 0;
      forbidden = false;
    } catch (cause) {
      if (signal.aborted) return;
      const { code, message } = asLazysshError(cause);
      if (code === "NOT_PERMITTED") {
        const reason = `${target.name}: machine ${id} cannot be marked as needed: ${message}`;
        if (!forbidden) events.emit({ type: "server.warning", reason });
        forbidden = true;
      } else {
        waitMs = AGAIN_MS;
        const step = "say that the machine is needed";
        events.emit({
          type: "machine.retry",
          target: target.name,
          machine: id,
          step,
          attempt,
          code,
          reason: message,
          waitMs,
        });
      }
    }
    await clock.sleep(waitMs, signal).catch(() => undefined);
  }
}
