import type { Machine } from "../../providers/index.ts";
import { growingInterval, persist } from "../../util/retry.ts";
import { isTogether, type MachineContext } from "../context.ts";
import { generationOf } from "../group/notes.ts";
import { theOne } from "../group/together.ts";
import { isUp, type StepContext } from "./step-context.ts";

/** A machine of the target that is there already and may be used; undefined: one has to be ordered. */
export async function existing(
  context: StepContext,
  surroundings: MachineContext,
): Promise<Machine | undefined> {
  const { clock, signal, waiting, retrying, provider, target } = context;
  const together = isTogether(surroundings);
  if (!together && target.stopMode === "terminate") return undefined; // nothing is left over from before
  const found = await persist({
    clock,
    signal,
    interval: growingInterval(0.1, 500, 5_000),
    onRetry: (failure) => retrying("look for a machine that is there", failure),
    async attempt(attemptSignal) {
      const listed = await provider.list(attemptSignal, { gone: together });
      const own = listed.filter((machine) => machine.target === target.name);
      for (const { notes } of own) {
        surroundings.memory.generation = Math.max(surroundings.memory.generation, generationOf(notes));
      }
      const runs = own.filter(isUp);
      const one = together ? theOne(runs) : undefined;
      if (one) return { one };
      const ending = own.find(({ phase }) => phase === "stopping");
      if (ending) {
        waiting(`machine ${ending.id} of before to end`);
        return undefined;
      }
      const [resting, ...others] = own.filter(({ phase }) => phase === "resting");
      if (!resting || target.stopMode === "terminate") return { one: undefined };
      // At most one is kept.
      for (const { id, token } of others) surroundings.discard({ machine: id, token: token ?? id });
      return { one: resting };
    },
  });
  return found.one;
}
