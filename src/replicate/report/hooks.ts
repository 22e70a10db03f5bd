import type { Hook } from "../../config/replicate.ts";
import { type Clock, stayAlive } from "../../util/clock.ts";
import { programOf, runWithReport } from "./command-hook.ts";
import type { Env, Report, StartReport } from "./json.ts";
import { hostOf, sendReport } from "./url-hook.ts";

export interface HookOptions {
  readonly event: "start" | "success" | "failure";
  readonly report: Report | StartReport;
  /** Commands get it, with `LAZYSSH_JOB`, `LAZYSSH_STATUS` and, when the run is over, `LAZYSSH_EXIT_CODE`. */
  readonly env: Env;
  readonly clock: Clock;
  /** Of a run that was interrupted it has long aborted: its end is to be told with one of its own. */
  readonly signal: AbortSignal;
  /** Is told at once of each one that failed. */
  readonly warn: (text: string) => void;
}

export interface HookOutcome {
  /** Of `on_start` and `on_success`. They do not change how the run ended. */
  readonly warnings: readonly string[];
  /** Of `on_failure`: whoever relies on it does not know that the run failed. */
  readonly errors: readonly string[];
}

/**
 * Tells everybody, all at the same time, so that one that hangs does not keep the news from the others. Never rejects. Takes about half
 * a minute at most for URLs, and a minute for commands.
 *
 * No secret is in what it says: of URLs it shows the host, of commands the name, of headers nothing.
 */
export async function runHooks(hooks: readonly Hook[], options: HookOptions): Promise<HookOutcome> {
  const { event, warn } = options;
  using _ = stayAlive();
  const texts = await Promise.all(
    hooks.map(async (hook) => {
      const problem = await tell(hook, options);
      if (problem === undefined) return [];
      const loud = event === "failure" ? ". Who relies on it has not been told that the run failed" : "";
      const text = `on_${event}: ${hook.kind === "url" ? hostOf(hook) : programOf(hook)}: ${problem}${loud}`;
      warn(text);
      return [text];
    }),
  );
  const failed = texts.flat();
  return event === "failure" ? { warnings: [], errors: failed } : { warnings: failed, errors: [] };
}

function tell(hook: Hook, { report, env, clock, signal }: HookOptions): Promise<string | undefined> {
  const text = JSON.stringify(report);
  if (hook.kind === "url") return sendReport(hook, text, { clock, signal });
  const said = {
    LAZYSSH_JOB: report.job,
    LAZYSSH_STATUS: report.status,
    LAZYSSH_EXIT_CODE: "exit_code" in report ? String(report.exit_code) : undefined,
  };
  return runWithReport(hook, text, { clock, signal, env: { ...env, ...said } });
}
