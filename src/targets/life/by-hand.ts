import type { LazysshError } from "../../util/errors.ts";
import type { MachineStatus } from "../by-hand.ts";
import type { Launch } from "./launch.ts";
import type { MachineModel, MachineState, UntimedEvent } from "./state.ts";
import type { Tenancy } from "./tenancy.ts";

/** A machine as a person sees it. `since`: when it entered its state. */
export function statusOf(
  target: string,
  { state, leases }: MachineModel,
  latest: Launch | undefined,
  since: number,
  tenancy: Tenancy,
): MachineStatus {
  const launch = "launch" in state ? latest : undefined;
  const waits = state.kind !== "ready" && state.kind !== "lingering";
  return {
    target,
    state: state.kind,
    since,
    machine: launch?.machine,
    launch: launch?.token,
    host: "host" in state ? state.host : launch?.host,
    startedAt: launch?.startedAt,
    waitingFor: waits ? launch?.waitingFor : undefined,
    unfit: troubleOf(state),
    leases: tenancy.lines(leases),
  };
}

function troubleOf(state: MachineState): string | undefined {
  if (state.kind === "ready") return state.unfit?.message;
  return state.kind === "failed" ? state.error.message : undefined;
}

/** What has happened, as far as the machine is concerned, when a person ends it under those who use it or wait for it. */
export function cutShort(state: MachineState, error: LazysshError): UntimedEvent | undefined {
  switch (state.kind) {
    case "ready":
      return { type: "died", launch: state.launch, error };
    case "launching":
      return { type: "overdue", launch: state.launch, error };
    case "preparing":
    case "booting":
    case "attaching":
    case "probing":
      return { type: "failed", launch: state.launch, error, exists: "no" };
    case "absent":
    case "lingering":
    case "stopping":
    case "failed":
      return undefined; // there is nobody to be told
  }
}
