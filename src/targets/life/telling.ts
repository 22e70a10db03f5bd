import type { MachineTarget } from "../../config/index.ts";
import { formatDuration } from "../../util/duration.ts";
import { LazysshError } from "../../util/errors.ts";
import type { Stage } from "../lease.ts";
import type { Launch } from "./launch.ts";
import type { MachineState } from "./state.ts";

/** What those who wait are told of a machine. */

export function stageOf(state: MachineState, launch: Launch | undefined, summary: string): Stage {
  return {
    state: state.kind,
    summary,
    machine: launch?.machine,
    waitingFor: launch?.waitingFor,
    unfit: state.kind === "ready" ? state.unfit?.message : undefined,
  };
}

/** What keeps the next machine from being started, and has no deadline of its own; undefined when nothing does. */
export function whyNothingStarts(
  state: MachineState,
  launch: Launch | undefined,
  { name, bootTimeoutMs }: MachineTarget,
): LazysshError | undefined {
  const within = formatDuration(bootTimeoutMs);
  const because = (why: string) =>
    new LazysshError("BOOT_TIMEOUT", `${name}: ${why}, and nothing is started beside it`);
  if (state.kind === "ready" && state.unfit) {
    const { machine, unfit } = state;
    return because(
      `machine ${machine} takes no new connections (${unfit.message}), and those it has did not end within ${within}`,
    );
  }
  if (state.kind !== "stopping") return undefined;
  const machine = launch?.machine ?? "of an order without an answer";
  const last = launch?.waitingFor === undefined ? "" : ` (waiting for: ${launch.waitingFor})`;
  return because(`the machine ${machine} before this one has not ended within ${within}${last}`);
}

/** Whether who waits would wait for a machine that is not ordered yet. */
export function isWithoutMachineToCome({ kind }: MachineState): boolean {
  return kind === "preparing" || kind === "stopping" || kind === "failed" || kind === "ready";
}
