import { LazysshError } from "../../util/errors.ts";
import type { Machine, MachinePhase } from "../provider.ts";
import type { Order } from "./order.ts";
import { isAlive, type ProcessId, processesWith } from "./processes.ts";
import type { MachineFacts, Records } from "./records.ts";
import { keepSmall, lastLine, run, tailOf } from "./run.ts";

export interface LookContext {
  readonly records: Records;
  readonly now: () => number;
  /** Addresses that `address` has told, by machine. */
  readonly addresses: Map<string, string>;
}

interface Seen {
  readonly phase: MachinePhase;
  readonly reason?: string;
}

/** Between the record of an order and the process that it makes, or would have made. */
const SPAWN_MS = 10_000;

/** What a machine does now; what is seen for the first time is written down. */
export async function look(context: LookContext, facts: MachineFacts, signal: AbortSignal): Promise<Machine> {
  signal.throwIfAborted();
  const { order, ended } = facts;
  const seen: Seen = ended
    ? { phase: "gone", reason: ended.reason }
    : order.commands.foreground
      ? await lookAtProcess(context, facts)
      : await askStatus(context, facts, signal);
  if (seen.phase !== "running") return machineOf(facts, seen, undefined);
  const address = await addressOf(context, order, signal);
  return machineOf(facts, address === undefined ? { phase: "pending" } : seen, address);
}

/** As far as is known without asking anybody. */
export function lastKnown(facts: MachineFacts): Machine {
  const { order, seen, stopping } = facts;
  const phase = stopping ? "stopping" : seen ? "running" : "pending";
  return machineOf(facts, { phase }, order.commands.to);
}

/** A machine of which nothing is known: since orders are written down first, there is none. */
export function unknownMachine(id: string, token?: string): Machine {
  return {
    id,
    phase: "gone",
    address: undefined,
    reason: "nothing is known of it",
    token,
    target: undefined,
    notes: {},
    notice: undefined,
    startedAt: undefined,
  };
}

/** The process of `start`, if it still is there. What it has left in the background is the machine, and for `stop` to end. */
export async function childOf(context: LookContext, facts: MachineFacts): Promise<ProcessId | undefined> {
  const { order, child } = facts;
  if (child) return (await isAlive(child)) ? child : undefined;
  // Whoever gave the order died before it was written down; or it was over as soon as that.
  if (!order.commands.foreground) return undefined;
  const [found] = await startedBy(order);
  if (found) await context.records.write(order.id, "child", found);
  return found;
}

/** What `start` has made that still runs, by its environment. */
export async function startedBy({ token, stateDir }: Order): Promise<readonly ProcessId[]> {
  return processesWith([`LAZYSSH_TOKEN=${token}`, `LAZYSSH_STATE_DIR=${stateDir}`, "LAZYSSH_COMMAND=start"]);
}

async function lookAtProcess(context: LookContext, facts: MachineFacts): Promise<Seen> {
  const { records, now } = context;
  const { order, stopping, failed } = facts;
  const log = records.outputOf(order.id);
  if (await childOf(context, facts)) {
    await keepSmall(log);
    return stopping ? { phase: "stopping" } : { phase: "running" };
  }
  if (!facts.child && !failed && now() - order.at < SPAWN_MS) return { phase: "pending" };
  const left = await startedBy(order);
  if (left.length > 0) {
    const pids = left.map(({ pid }) => pid).join(", ");
    return { phase: "stopping", reason: `its command has ended and left processes behind (${pids})` };
  }
  const last = lastLine(await tailOf(log), order);
  const reason = failed?.reason ?? `its command has ended${last === "" ? "" : `: ${last}`}`;
  return gone(context, order, reason);
}

async function askStatus(context: LookContext, facts: MachineFacts, signal: AbortSignal): Promise<Seen> {
  const { records, now } = context;
  const { order, seen, stopping, failed } = facts;
  const running = await childOf(context, facts);
  if (running && !stopping) return { phase: "pending" };
  if (await runs(order, signal)) {
    if (!seen) await records.write(order.id, "seen", { at: now() });
    if (stopping) return { phase: "stopping" };
    return failed ? { phase: "stopping", reason: failed.reason } : { phase: "running" };
  }
  if (failed) return gone(context, order, failed.reason);
  if (seen) return gone(context, order, "its status says that it does not run");
  // It was told to start, and may come up at any time.
  const overdue = now() - order.at > order.commands.bootTimeoutMs;
  const isNot = stopping && (stopping.told || overdue || order.ranBefore);
  if (isNot) return gone(context, order, "its status has never said that it runs");
  return { phase: stopping ? "stopping" : "pending" };
}

async function gone({ records, now }: LookContext, { id }: Order, reason: string): Promise<Seen> {
  await records.write(id, "ended", { at: now(), reason });
  return { phase: "gone", reason };
}

/**
 * What `status` says.
 *
 * @throws LazysshError `CLOUD_ERROR` (retryable) for an exit code that proves nothing.
 */
export async function runs(order: Order, signal: AbortSignal): Promise<boolean> {
  const { status = [], statusTimeoutMs, stoppedExitCodes } = order.commands;
  const { code, how } = await run(order, "status", status, statusTimeoutMs, signal);
  if (code === 0) return true;
  if (code !== undefined && stoppedExitCodes.includes(code)) return false;
  const known = `0 says that it runs, ${stoppedExitCodes.join(" and ")} that it does not`;
  const what = `status of ${order.target} does not tell whether the machine runs (${how}; ${known})`;
  throw new LazysshError("CLOUD_ERROR", what, { retryable: true });
}

/** Undefined: it has none yet. */
async function addressOf(
  { addresses }: LookContext,
  order: Order,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { to, addressCommand, statusTimeoutMs } = order.commands;
  if (to !== undefined || addressCommand === undefined) return to;
  const known = addresses.get(order.id);
  if (known !== undefined) return known;
  const { code, output } = await run(order, "address", addressCommand, statusTimeoutMs, signal);
  const line = code === 0 ? (output.split("\n")[0]?.trim() ?? "") : "";
  if (line === "") return undefined;
  if (!/^[\w.:%-]+$/.test(line)) {
    const what = `address of ${order.target} did not print a host name or an IP address as its first line, but ${JSON.stringify(line.slice(0, 60))}`;
    throw new LazysshError("NO_ADDRESS", what);
  }
  addresses.set(order.id, line);
  return line;
}

function machineOf(
  { order, notes }: MachineFacts,
  { phase, reason }: Seen,
  address: string | undefined,
): Machine {
  const { id, token, target, at } = order;
  return {
    id,
    phase,
    address,
    reason,
    token,
    target,
    notes: notes ?? {},
    notice: undefined,
    startedAt: at,
  };
}
