import type { Hook } from "../../config/replicate.ts";
import { deadline } from "../../util/deadline.ts";
import { LazysshError, messageOf } from "../../util/errors.ts";
import { runToEnd } from "../ssh/run.ts";
import { harmlessLine, lastWords } from "./harmless.ts";
import type { Env } from "./json.ts";
import type { Delivery } from "./url-hook.ts";

export type CommandHook = Extract<Hook, { kind: "command" }>;

const COMMAND_MS = 60_000;

/** What of a command is shown: its name. */
export function programOf({ argv }: CommandHook): string {
  return harmlessLine(argv[0] ?? "");
}

/**
 * Runs it with the report as standard input and answers with what went wrong, if anything. After 60 s it is ended, with all that
 * it has started. Its output goes nowhere, but for the last lines of its standard error when it fails.
 *
 * @param env All that it gets.
 */
export async function runWithReport(
  { argv }: CommandHook,
  report: string,
  { clock, signal, env }: Delivery & { readonly env: Env },
): Promise<string | undefined> {
  const late = new LazysshError("NOT_READY", "it had not ended after 60 s, and was ended");
  using limit = deadline(clock, COMMAND_MS, () => late, signal);
  try {
    const surroundings = { clock, env: { ...env } };
    const ran = await runToEnd(argv, { signal: limit.signal, input: `${report}\n` }, surroundings);
    if (ran.status === 0) return undefined;
    const how =
      ran.status === undefined ? `it was ended by ${ran.signal}` : `it ended with status ${ran.status}`;
    const said = lastWords(ran.stderr);
    return said === "" ? how : `${how}: ${said}`;
  } catch (error) {
    if (signal.aborted) return "it was ended, because the run was interrupted";
    return harmlessLine(messageOf(error));
  }
}
