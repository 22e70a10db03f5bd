import type { MachineTarget } from "../../config/index.ts";
import type { Machine, Provider } from "../../providers/index.ts";
import type { Clock } from "../../util/clock.ts";
import { LazysshError } from "../../util/errors.ts";
import type { RetriedFailure } from "../../util/retry.ts";
import type { Prober } from "./probe.ts";

/** What every step of a start works with. */
export interface StepContext {
  readonly target: MachineTarget;
  readonly provider: Provider;
  readonly clock: Clock;
  readonly probe: Prober;
  /** Aborts when the start is no longer wanted, or its time is up; the reason says which. */
  readonly signal: AbortSignal;
  /** Told what the start is waiting for, each time that changes. */
  readonly waiting: (what: string) => void;
  /** Told of each failed attempt that will be made again. */
  readonly retrying: (step: string, failure: RetriedFailure) => void;
}

/** @throws LazysshError `MACHINE_DIED` with the cloud's reason, when the machine is on its way out. */
export function assertAlive(target: MachineTarget, machine: Machine): void {
  if (machine.phase === "pending" || machine.phase === "running") return;
  const how = { gone: "was terminated", stopping: "is being stopped", resting: "was stopped" }[machine.phase];
  const why = machine.reason === undefined ? "" : `: ${machine.reason}`;
  throw new LazysshError("MACHINE_DIED", `${target.name}: machine ${machine.id} ${how}${why}`);
}

/** Whether it costs machine time, and is not on its way out. */
export function isUp({ phase }: Pick<Machine, "phase">): boolean {
  return phase === "pending" || phase === "running";
}
