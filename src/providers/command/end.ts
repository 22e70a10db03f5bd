import { systemClock } from "../../util/clock.ts";
import { formatDuration } from "../../util/duration.ts";
import { LazysshError, messageOf } from "../../util/errors.ts";
import { childOf, type LookContext, look, startedBy } from "./look.ts";
import { isAlive, type ProcessId, signalTo } from "./processes.ts";
import type { MachineFacts } from "./records.ts";
import { run } from "./run.ts";

/**
 * What has the machine shut down may be cut off by that itself, such as `ssh … poweroff`: a failure counts only when the machine is still
 * there so much later.
 */
const GRACE_MS = 10_000;
const LOOK_MS = 200;

/**
 * Has the machine shut down: by `stop`, and without that by SIGTERM to the group of `start`. Where it runs in the foreground and `stop` has
 * brought nothing within `stopTimeoutMs`, by SIGTERM as well, which is told by an error. SIGKILL is never used: it would pull the plug of
 * a virtual machine that is writing.
 *
 * @throws LazysshError `CLOUD_ERROR` (retryable), when `stop` has failed, or nothing has helped so far.
 */
export async function end(
  context: LookContext,
  facts: MachineFacts,
  signal: AbortSignal,
  graceMs = GRACE_MS,
): Promise<void> {
  const { records, now } = context;
  const { order, ended } = facts;
  if (ended) return;
  if (order.ranBefore) {
    const reason = "it ran before lazyssh needed it, and is left running";
    await records.write(order.id, "ended", { at: now(), reason });
    return;
  }
  const { foreground, stop, stopTimeoutMs } = order.commands;
  const since = facts.stopping?.at ?? now();
  if (!facts.stopping) await records.write(order.id, "stopping", { at: since, told: false });
  const child = await childOf(context, facts);
  if (foreground && !child) {
    await terminate(await startedBy(order), false);
    return;
  }
  if (!foreground && child) await terminate([child], true); // the order itself is still under way
  let failure: string | undefined;
  if (stop) {
    failure = await tell(facts, stop, signal);
    if (failure === undefined) await records.write(order.id, "stopping", { at: since, told: true });
    else if (await endsWithin(context, order.id, graceMs, signal)) return;
  } else if (child) {
    await terminate([child], true);
  }
  const overdue = now() - since >= stopTimeoutMs;
  if (overdue && stop && child && (await isAlive(child))) {
    await terminate([child], true);
    const why = failure ?? "stop has succeeded";
    const what = `${order.target} has not ended within ${formatDuration(stopTimeoutMs)} (${why}), and process ${child.pid} was sent SIGTERM`;
    throw new LazysshError("CLOUD_ERROR", what, { retryable: true });
  }
  if (failure !== undefined) throw new LazysshError("CLOUD_ERROR", failure, { retryable: true });
  if (overdue && (!child || (await isAlive(child)))) {
    const what = `${order.target} was told to stop and has not ended within ${formatDuration(stopTimeoutMs)}`;
    throw new LazysshError("CLOUD_ERROR", what, { retryable: true });
  }
}

/** Runs `stop`; resolves with what went wrong. */
async function tell(
  { order }: MachineFacts,
  stop: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const { code, how } = await run(order, "stop", stop, order.commands.stopTimeoutMs, signal);
    return code === 0 ? undefined : `stop of ${order.target} has failed, ${how}`;
  } catch (error) {
    signal.throwIfAborted();
    return messageOf(error);
  }
}

async function endsWithin(
  context: LookContext,
  id: string,
  ms: number,
  signal: AbortSignal,
): Promise<boolean> {
  const until = systemClock.now() + ms;
  for (;;) {
    const facts = await context.records.read(id);
    const machine = facts && (await look(context, facts, signal).catch(() => undefined));
    if (!facts || machine?.phase === "gone") return true;
    if (systemClock.now() >= until) return false;
    await systemClock.sleep(LOOK_MS, signal);
  }
}

async function terminate(processes: readonly ProcessId[], whole: boolean): Promise<void> {
  for (const one of processes) await signalTo(one, "SIGTERM", whole);
}
