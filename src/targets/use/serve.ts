import { formatDuration } from "../../util/duration.ts";
import { LazysshError } from "../../util/errors.ts";
import type { MachineContext } from "../context.ts";
import type { UntimedEvent } from "../life/state.ts";
import type { StepContext } from "../start/step-context.ts";
import { death, silence, watchPort } from "./health.ts";
import { budgetLeft, overBudget } from "./limits.ts";

/** A machine that is ready. */
export interface Served {
  readonly launch: number;
  readonly machine: string;
  readonly host: string;
  readonly greets: boolean;
  /** Milliseconds since the epoch. */
  readonly readyAt: number;
  /** Bytes that have gone through its connections so far. */
  readonly traffic: () => number;
  /** Whether connections, and nothing else, keep it: only then their silence means something. */
  readonly keptByConnections: () => boolean;
  /** Addresses of those who use it. */
  readonly clients: () => readonly string[];
}

/** How long an unfit machine must be silent before it is taken from those who use it. */
const SILENT_MS = 10_000;
/** How often limits are looked at that a person may have lifted meanwhile. */
const LIMIT_MS = 15_000;

type Report = (event: UntimedEvent) => void;

/**
 * Looks after a machine that is in use or lingers: whether it lives and answers, and whether it may go on. Resolves with its end;
 * rejects only with the signal's reason, which is the ordinary end.
 */
export async function lookAfter(
  step: StepContext,
  surroundings: MachineContext,
  served: Served,
  report: Report,
): Promise<UntimedEvent> {
  const { launch, machine: id, host, greets, traffic } = served;
  const { events } = surroundings;
  const subject = { target: step.target.name, machine: id };
  let listening = false;
  let noticed = false;
  const unfit = (error: LazysshError) => {
    report({ type: "unfit", launch, error });
    if (!listening) void tellSilence(step, served, report);
    listening = true;
  };
  const seen = ({ notice }: { notice: string | undefined }) => {
    if (notice === undefined || noticed) return;
    noticed = true;
    events.emit({ type: "machine.notice", ...subject, reason: notice, clients: served.clients() });
    unfit(
      new LazysshError(
        "MACHINE_UNFIT",
        `${step.target.name}: the cloud will take machine ${id} away: ${notice}`,
      ),
    );
  };
  const onUnfit = (error: LazysshError) => {
    events.emit({ type: "machine.unfit", ...subject, reason: error.message });
    unfit(error);
  };
  const onFit = () => {
    events.emit({ type: "machine.fit", ...subject, reason: "its port answers again" });
    if (!noticed) report({ type: "fit", launch });
  };
  const error = await Promise.race([
    death(step, id, seen),
    watchPort(step, { id, host, greets, traffic, onUnfit, onFit }),
    ...Object.entries({
      max_lifetime: lifetime(step, surroundings, served),
      idle_timeout: idle(step, surroundings, served),
      budget: budget(step, surroundings),
    }).map(async ([limit, reached]) => {
      const error = await reached;
      events.emit({ type: "limit.reached", target: step.target.name, limit, reason: error.message });
      return error;
    }),
  ]);
  return { type: "died", launch, error };
}

/** Says so each time that nothing moves on a machine that is unfit; what follows is not decided here. */
async function tellSilence(step: StepContext, { launch, traffic }: Served, report: Report): Promise<void> {
  try {
    while (!step.signal.aborted) {
      await silence(step, { ms: SILENT_MS, traffic });
      report({ type: "silent", launch });
    }
  } catch {
    // The machine is not in use any more.
  }
}

/** Resolves, with what to tell those who use it, when the machine has served as long as it may. */
async function lifetime(
  { clock, signal, target }: StepContext,
  { lifted }: MachineContext,
  { machine, readyAt }: Served,
): Promise<LazysshError> {
  const { maxLifetimeMs } = target;
  if (maxLifetimeMs === undefined) return never(signal);
  await clock.sleep(readyAt + maxLifetimeMs - clock.now(), signal);
  while (lifted.machine) await clock.sleep(LIMIT_MS, signal);
  return new LazysshError(
    "LIFETIME_OVER",
    `${target.name}: machine ${machine} has served for its max_lifetime of ${formatDuration(maxLifetimeMs)} and is stopped`,
  );
}

async function idle(
  step: StepContext,
  { lifted }: MachineContext,
  { machine, traffic, keptByConnections }: Served,
): Promise<LazysshError> {
  const { target, signal } = step;
  const { idleTimeoutMs: ms } = target;
  if (ms === undefined) return never(signal);
  do await silence(step, { ms, traffic });
  while (lifted.machine || !keptByConnections());
  return new LazysshError(
    "IDLE_TIMEOUT",
    `${target.name}: nothing has gone through the connections to machine ${machine} for its idle_timeout of ` +
      `${formatDuration(ms)}, and it is stopped`,
  );
}

async function budget(
  { clock, signal, target }: StepContext,
  surroundings: MachineContext,
): Promise<LazysshError> {
  if (target.budgetMsPerDay === undefined) return never(signal);
  for (;;) {
    const left = budgetLeft(surroundings);
    if (left !== undefined && left <= 0) return overBudget(surroundings);
    await clock.sleep(Math.min(left ?? LIMIT_MS, LIMIT_MS), signal);
  }
}

/** Waits without an end of its own, and leaves no listener behind once the signal has aborted. */
function never(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
  );
}
