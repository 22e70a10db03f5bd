import { hostname } from "node:os";
import type { Hook } from "../../config/replicate.ts";
import type { Clock } from "../../util/clock.ts";
import { deadline } from "../../util/deadline.ts";
import { messageOf } from "../../util/errors.ts";
import { version } from "../../util/version.ts";
import { runToEnd } from "../ssh/run.ts";
import { harmless } from "./harmless.ts";

/** What hooks are told: a run as `toJson` gives it, or that one begins. */
export interface Report {
  readonly job: string;
  readonly status: string;
  readonly exit_code?: number;
}

export interface HookOptions {
  readonly report: Report;
  readonly event: "start" | "success" | "failure";
  /** Of commands; `LAZYSSH_EVENT`, `LAZYSSH_JOB`, `LAZYSSH_STATUS` and `LAZYSSH_EXIT_CODE` are added, and systemd's are in it. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Ends what is under way; it is then told of as failed. */
  readonly signal: AbortSignal;
  /** Told of each failure at once. */
  readonly warn?: (warning: string) => void;
}

const COMMAND_MS = 60_000;
const LONGEST_WORDS = 400;

/** What hooks are told when a run begins. */
export function startReport(job: string, startedAt: number, host: string = hostname()): Report {
  return { job, status: "started", ...{ version, host, started: new Date(startedAt).toISOString() } };
}

/**
 * Tells all of them at once, and waits for all. Never rejects, and changes no status: a backup that nobody was told of is still
 * one. Warnings are in the order of the hooks, and hold no path or query of a URL, no header and no argument.
 */
export async function runHooks(
  hooks: readonly Hook[],
  options: HookOptions,
): Promise<{ readonly warnings: readonly string[] }> {
  const told = await Promise.all(
    hooks.map(async (hook) => {
      const problem = await tell(hook, options).catch((error: unknown) =>
        options.signal.aborted
          ? "was given up, as the program ends"
          : `failed: ${hiding(hook, messageOf(error))}`,
      );
      if (problem === undefined) return [];
      const warning = harmless(`on_${options.event} of ${options.report.job}: ${nameOf(hook)} ${problem}`);
      options.warn?.(warning);
      return [warning];
    }),
  );
  return { warnings: told.flat() };
}

async function tell(hook: Hook, options: HookOptions): Promise<string | undefined> {
  const { report, clock, signal } = options;
  const body = `${JSON.stringify(report)}\n`;
  if (hook.kind === "command") return runCommand(hook, body, options);
  // Node takes its time to load what makes requests.
  const { request } = await import("./request.ts");
  return request(hook, body, { clock, signal });
}

async function runCommand(
  hook: Extract<Hook, { kind: "command" }>,
  input: string,
  { report, event, env, clock, signal }: HookOptions,
): Promise<string | undefined> {
  const late = new Error("it did not end within 60 s, and was ended");
  using limit = deadline(clock, COMMAND_MS, () => late, signal);
  const {
    status,
    signal: endedBy,
    stderr,
  } = await runToEnd(
    hook.argv,
    { signal: limit.signal, input },
    {
      clock,
      env: {
        ...env,
        LAZYSSH_EVENT: event,
        LAZYSSH_JOB: report.job,
        LAZYSSH_STATUS: report.status,
        LAZYSSH_EXIT_CODE: report.exit_code === undefined ? "" : String(report.exit_code),
      },
    },
  );
  if (status === 0) return undefined;
  const last = hiding(hook, stderr.trim().split("\n").at(-1) ?? "");
  const how = status === undefined ? `was ended by ${endedBy ?? "a signal"}` : `exited with status ${status}`;
  return last === "" ? how : `${how}: ${last.slice(-LONGEST_WORDS)}`;
}

function nameOf(hook: Hook): string {
  if (hook.kind === "command") return hook.argv[0] ?? "";
  // Without what may be secret: user, path, query.
  return URL.canParse(hook.url) ? new URL(hook.url).origin : "a URL that is not valid";
}

/** Without its arguments, which may hold a secret, or be part of a text that has one. */
function hiding(hook: Hook, text: string): string {
  if (hook.kind === "url") return text;
  return hook.argv
    .slice(1)
    .filter((arg) => arg.length >= 4)
    .sort((a, b) => b.length - a.length)
    .reduce((rest, arg) => rest.replaceAll(arg, "…"), text);
}
