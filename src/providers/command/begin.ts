import type { ChildProcess } from "node:child_process";
import type { CommandTarget } from "../../config/types.ts";
import { systemClock } from "../../util/clock.ts";
import { formatDuration } from "../../util/duration.ts";
import { LazysshError } from "../../util/errors.ts";
import type { Machine } from "../provider.ts";
import { type LookContext, lastKnown, look, runs } from "./look.ts";
import { commandsOf, idOf, type Order } from "./order.ts";
import { processOf } from "./processes.ts";
import { endGroup, exited, launch, startResult } from "./run.ts";

/** What cannot start at all mostly says so at once. */
const AT_ONCE_MS = 250;

/**
 * Orders a machine: written down first, then started. The same token is the same machine, whatever has become of it.
 *
 * @throws LazysshError `CLOUD_ERROR` with what `start` has said, when no machine came of it.
 */
export async function begin(
  context: LookContext,
  target: CommandTarget,
  request: { readonly token: string; readonly notes: Readonly<Record<string, string>> },
  signal: AbortSignal,
): Promise<Machine> {
  const { records, now } = context;
  const { token, notes } = request;
  const id = idOf(token);
  const known = await records.read(id);
  if (known) return look(context, known, signal);
  const intent = {
    id,
    token,
    target: target.name,
    stateDir: records.stateDir,
    at: now(),
    commands: commandsOf(target),
  };
  const ranBefore = !target.foreground && (await runs({ ...intent, ranBefore: false }, signal));
  const order: Order = { ...intent, ranBefore };
  await records.write(id, "order", order);
  await records.write(id, "notes", notes);
  if (!ranBefore) await start(context, order);
  const facts = await records.read(id);
  if (!facts) throw new LazysshError("INTERNAL", `the record of ${id} is gone`);
  // That it does not tell yet is nothing that an order could be judged by.
  const machine = await look(context, facts, signal).catch(() => undefined);
  if (machine?.phase === "gone") {
    throw new LazysshError("CLOUD_ERROR", `${target.name}: ${facts.failed?.reason ?? machine.reason}`);
  }
  return machine ?? lastKnown(facts);
}

async function start({ records }: LookContext, order: Order): Promise<void> {
  const log = records.outputOf(order.id);
  let child: ChildProcess;
  try {
    child = await launch(order, log);
  } catch (error) {
    await records.forget(order.id);
    throw error;
  }
  const process = await processOf(child.pid ?? 0);
  // Should it not be possible, it is found by its environment.
  if (process) await records.write(order.id, "child", process).catch(() => undefined);
  // Who looked between the order and this, on a machine under load, may have found that there was nothing.
  await records.erase(order.id, "ended");
  const { foreground, startTimeoutMs } = order.commands;
  const waiting = new AbortController();
  const time = systemClock.sleep(foreground ? AT_ONCE_MS : startTimeoutMs, waiting.signal);
  const late = await Promise.race([time.then(() => true), exited(child).then(() => false)]);
  waiting.abort();
  time.catch(() => undefined);
  if (foreground && late) {
    child.unref();
    return;
  }
  if (late) await endGroup(child);
  const { code, how } = await startResult(child, order, log);
  if (late) {
    const within = formatDuration(startTimeoutMs);
    await records.write(order.id, "failed", { reason: `start has not ended within ${within} (${how})` });
  } else if (foreground || code !== 0) {
    await records.write(order.id, "failed", { reason: `start has failed, ${how}` });
  }
}
