import type { LazysshError } from "../../util/errors.ts";
import type { MachineContext } from "../context.ts";
import type { Launch } from "./launch.ts";
import type { MachineModel } from "./state.ts";

/** What all who watch are told of a machine. */

/** A start failed, or a machine in use died. */
export function announceFailure(
  { events, target }: MachineContext,
  machine: string | undefined,
  { code, message }: LazysshError,
): void {
  events.emit({ type: "machine.failed", target: target.name, machine, code, reason: message });
}

/** It has another state than before. */
export function announceState(
  { events, target }: MachineContext,
  launch: Launch | undefined,
  before: MachineModel,
  { state, leases }: MachineModel,
): void {
  events.emit({
    type: "machine.state",
    target: target.name,
    launch: launch?.token,
    machine: launch?.machine,
    from: before.state.kind,
    to: state.kind,
    leases: leases.size,
    reason: "error" in state ? state.error?.message : undefined,
  });
}
