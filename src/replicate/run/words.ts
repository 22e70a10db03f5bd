import { quoteWhereNeeded } from "../../util/shell.ts";
import type { Refusal } from "../plan/steps.ts";
import type { Side } from "../side.ts";
import { where } from "./ends.ts";

type Named = Pick<Side, "name" | "remote">;

/** A refusal on one line: why, what proves it, and the commands that a person could run. */
export function refusalWords(
  { reason, evidence, remedies }: Refusal,
  sides: { readonly source: Named; readonly target: Named },
): string {
  const proof =
    evidence.length === 0 ? "" : ` What shows it: ${evidence.slice(0, MOST).join(", ")}${more(evidence)}.`;
  const todo = remedies
    .slice(0, MOST)
    .map(({ side, argv }) => `${where(sides[side])}: ${quoteWhereNeeded(argv)}`)
    .join("; ");
  return `${reason}${proof}${todo === "" ? "" : ` Commands that may help: ${todo}${more(remedies)}`}`;
}

const MOST = 10;

function more(all: readonly unknown[]): string {
  return all.length > MOST ? ` and ${all.length - MOST} more` : "";
}

export function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}
