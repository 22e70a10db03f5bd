import { LazysshError } from "../../util/errors.ts";
import type { MachineContext } from "../context.ts";
import type { TenantUser } from "../lease.ts";
import { endOfDay } from "./meter.ts";

/** Which limits of a target a person has lifted. */
export class Lifted {
  /** `budget` and `max_machines`, until then; milliseconds since the epoch. */
  until = 0;
  /** `max_lifetime` and `idle_timeout`, of the machine there is. */
  machine = false;

  lift(now: number): void {
    this.until = endOfDay(now);
    this.machine = true;
  }
}

/** Milliseconds that the budget still allows today; undefined without one. */
export function budgetLeft({ target, family, meter, lifted, clock }: MachineContext): number | undefined {
  const now = clock.now();
  if (target.budgetMsPerDay === undefined || lifted.until > now) return undefined;
  return target.budgetMsPerDay - meter.usedToday(family, now);
}

export function overBudget({ target, family }: MachineContext): LazysshError {
  const hours = Number(((target.budgetMsPerDay ?? 0) / 3_600_000).toPrecision(3));
  return new LazysshError(
    "BUDGET_REACHED",
    `${target.name}: ${family === target.name ? "its budget" : `the budget of all of ${family},`} of ${hours} hours a day is used up until midnight UTC; ` +
      `"lazyssh start ${target.name} --lift" on the jump host lifts it for today`,
  );
}

/** @throws LazysshError `BUDGET_REACHED` when no machine may be started for the target today. */
export function assertWithinBudget(context: MachineContext): void {
  const left = budgetLeft(context);
  if (left !== undefined && left <= 0) refuse(context, "budget", overBudget(context));
}

/**
 * @param exist How many machines exist, or are about to.
 * @param mostOfAll `server { max_machines }`.
 * @throws LazysshError `LIMIT_REACHED` when no other machine may be started for the target.
 */
export function assertWithinLimits(
  context: MachineContext,
  exist: { readonly ofTarget: number; readonly ofAll: number },
  mostOfAll: number | undefined,
): void {
  const { target, lifted, clock } = context;
  if (lifted.until > clock.now()) return;
  const { maxMachines: most } = target;
  if (most !== undefined && exist.ofTarget >= most) {
    refuse(
      context,
      "max_machines",
      tooMany(target.name, most, context.family === target.name ? "this target" : context.family),
    );
  }
  if (mostOfAll !== undefined && exist.ofAll >= mostOfAll) {
    refuse(context, "max_machines", tooMany(target.name, mostOfAll, "all targets together"));
  }
}

/**
 * @param used Machines that the user has leases of, without the one that is wanted.
 * @throws LazysshError `LIMIT_REACHED` when the user may not have another one.
 */
export function assertUserMay(
  { target, events }: MachineContext,
  user: TenantUser | undefined,
  used: readonly string[],
): void {
  const most = user?.maxMachines;
  if (most === undefined || used.length < most) return;
  const machines = used.length === 1 ? "1 machine" : `${used.length} machines`;
  const reason =
    `${target.name}: ${user?.name} uses ${machines} already (${used.join(", ")}), and max_machines of the user ` +
    "allows no more: leave one of them first";
  refuse({ target, events }, "max_machines", new LazysshError("LIMIT_REACHED", reason));
}

function refuse(
  { target, events }: Pick<MachineContext, "target" | "events">,
  limit: string,
  error: LazysshError,
): never {
  events.emit({ type: "limit.reached", target: target.name, limit, reason: error.message });
  throw error;
}

function tooMany(name: string, most: number, of: string): LazysshError {
  const exist = most === 1 ? "1 machine" : `${most} machines`;
  return new LazysshError(
    "LIMIT_REACHED",
    `${name}: ${exist} of ${of} there ${most === 1 ? "is" : "are"} already, and max_machines allows no more: try again ` +
      `when one has ended; "lazyssh start ${name} --lift" on the jump host lifts that for today`,
  );
}
