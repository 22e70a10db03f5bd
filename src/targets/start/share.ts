import { persist } from "../../util/retry.ts";
import type { MachineContext } from "../context.ts";
import { takeShare, theOne } from "../group/together.ts";
import type { Identity } from "../life/identity.ts";
import { isUp, type StepContext } from "./step-context.ts";

/** Whether the machine is one that this server may use: no other is ending it, and it is the one that all of them use. */
export async function share(
  step: StepContext,
  { provider, server, target, discard }: MachineContext,
  { token }: Identity,
  machine: string,
): Promise<boolean> {
  const shared = await persist({
    clock: step.clock,
    signal: step.signal,
    interval: () => 1_000,
    onRetry: (failure) => step.retrying("take a share in the machine", failure),
    attempt: async (signal) => {
      const mine = await takeShare({ ...step, signal }, server, machine);
      const listed = mine ? await provider.list(signal) : [];
      return { mine, runs: listed.filter((one) => one.target === target.name && isUp(one)) };
    },
  });
  if (!shared.mine) return false;
  const one = theOne(shared.runs);
  if (one === undefined || one.id === machine || !shared.runs.some(({ id }) => id === machine)) return true;
  // Two were started at once, against all odds; every server chooses the same of them.
  discard({ token, machine });
  return false;
}
