import type { CommandTarget } from "../../config/types.ts";
import { quoteWhereNeeded } from "../../util/shell.ts";
import type { ProviderShape } from "../lazy.ts";
import { idOf } from "./order.ts";
import { outputOf } from "./place.ts";

/** What is known of a target's machines without running anything. */
export function commandShape(
  target: CommandTarget,
  { stateDir }: { readonly stateDir: string },
): ProviderShape {
  const summary = `${target.name} by ${target.start[0]}`;
  return {
    type: "command",
    summary,
    hasVolumes: false,
    alternatives: [summary],
    remedy(id, token) {
      const { stop } = target;
      if (stop) return quoteWhereNeeded(stop);
      const output = outputOf(stateDir, id ?? idOf(token));
      return `kill the processes with LAZYSSH_TOKEN=${token} in their environment, and see ${output}`;
    },
  };
}
