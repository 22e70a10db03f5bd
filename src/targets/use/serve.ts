import { formatDuration } from "../../util/duration.ts";
import { LazysshError } from "../../util/errors.ts";
import type { MachineContext } from "../context.ts";
import type { UntimedEvent } from "../life/state.ts";
import type { StepContext } from "../start/step-context.ts";
import { death, type HealthWatch, knockAtPort, silence, watchPort } from "./health.ts";
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
  /** Whether none of its connections has ever had a byte from it. */
  readonly unanswered: () => boolean;
  /** Addresses of those who use it. */
  readonly clients: () => readonly string[];
  readonly health: Health;
}

/** What is known of a machine in use, by whoever looks at it. */
export interface Health {
  /** Its port does not answer. */
  unfit: boolean;
  /** The cloud has said that it takes it away. */
  noticed: boolean;
  /** Its silence is listened for. */
  listening: boolean;
}

export const wellSoFar: Readonly<Health> = { unfit: false, noticed: false, listening: false };

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
  const { launch, machine: id, health } = served;
  const { events } = surroundings;
  const subject = { target: step.target.name, machine: id };
  const seen = ({ notice }: { notice: string | undefined }) => {
    if (notice === undefined || health.noticed) return;
    health.noticed = true;
    events.emit({ type: "machine.notice", ...subject, reason: notice, clients: served.clients() });
    const what = `${subject.target}: the cloud will take machine ${id} away: ${notice}`;
    tellUnfit(step, served, report, new LazysshError("MACHINE_UNFIT", what));
  };
  const error = await Promise.race([
    death(step, id, seen),
    watchPort(step, portOf(step, surroundings, served, report)),
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

/** Knocks at its port out of turn, and resolves with whether it answers. */
export function knockNow(
  step: StepContext,
  surroundings: MachineContext,
  served: Served,
  report: Report,
): Promise<boolean> {
  return knockAtPort(step, portOf(step, surroundings, served, report));
}

function portOf(step: StepContext, { events }: MachineContext, served: Served, report: Report): HealthWatch {
  const { launch, machine: id, host, greets, traffic, health } = served;
  const subject = { target: step.target.name, machine: id };
  return {
    id,
    host,
    greets,
    traffic,
    health,
    onUnfit(error) {
      events.emit({ type: "machine.unfit", ...subject, reason: error.message });
      tellUnfit(step, served, report, error);
    },
    onFit() {
      events.emit({ type: "machine.fit", ...subject, reason: "its port answers again" });
      if (!health.noticed) report({ type: "fit", launch });
    },
  };
}

function tellUnfit(step: StepContext, served: Served, report: Report, error: LazysshError): void {
  const { launch, health } = served;
  report({ type: "unfit", launch, error });
  if (!health.listening) void tellSilence(step, served, report);
  health.listening = true;
}

/** Says so each time that nothing moves on a machine that is unfit; what follows is not decided here. */
async function tellSilence(
  step: StepContext,
  { launch, traffic, unanswered }: Served,
  report: Report,
): Promise<void> {
  try {
    while (!step.signal.aborted) {
      await silence(step, { ms: SILENT_MS, traffic });
      report({ type: "silent", launch, unanswered: unanswered() });
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
