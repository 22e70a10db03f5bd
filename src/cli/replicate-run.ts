import type { ReplicateJob } from "../config/index.ts";
import { EXIT_CODES, type RunOutcome, type RunStatus } from "../replicate/outcome.ts";
import { runHooks, startReport } from "../replicate/report/hooks.ts";
import { toJson } from "../replicate/report/json.ts";
import { toText } from "../replicate/report/text.ts";
import { dryRun } from "../replicate/run/dry-run.ts";
import { runJob } from "../replicate/run/run.ts";
import type { KnownState, ReplicateState } from "../replicate/state/state.ts";
import { stayAlive } from "../util/clock.ts";
import { messageOf } from "../util/errors.ts";
import { type CliContext, exitCodes } from "./context.ts";
import type { ReplicateFlags } from "./replicate.ts";
import { wantedJobs } from "./replicate-jobs.ts";
import { listenForEnd, type Told } from "./replicate-signals.ts";
import {
  emptyOutcome,
  isLock,
  knownStateOf,
  runningOutcome,
  stateOf,
  toRemembered,
  toVerified,
} from "./replicate-state.ts";

export async function replicate(this: CliContext, flags: ReplicateFlags, ...words: string[]): Promise<void> {
  using _alive = stayAlive();
  using told = listenForEnd(this);
  const jobs = await wantedJobs(this, { words, flags });
  const all = jobs ? runWanted(this, { jobs, flags, told }) : exitCodes.usage;
  const code = await Promise.race([all, told.twice]);
  this.process.exitCode = code === "twice" ? exitCodes.failed : code;
}

interface Wanted {
  readonly jobs: readonly ReplicateJob[];
  readonly flags: ReplicateFlags;
  readonly told: Told;
}

interface Runs extends Wanted {
  readonly state: ReplicateState;
}

async function runWanted(context: CliContext, wanted: Wanted): Promise<number> {
  const { stateDir, dryRun: isDry } = wanted.flags;
  if (isDry) return dryRunAll(context, { ...wanted, state: knownStateOf(context, stateDir) });
  const state = await stateOf(context, stateDir);
  return state ? runAll(context, { ...wanted, state }) : exitCodes.usage;
}

/** The worse, the further behind: what a person has to see to comes after what passes by itself. */
const WORSE: readonly RunStatus[] = ["ok", "running", "partial", "stale", "refused", "failed"];

export function worstOf(statuses: readonly RunStatus[]): number {
  const worst = Math.max(0, ...statuses.map((status) => WORSE.indexOf(status)));
  return EXIT_CODES[WORSE[worst] ?? "failed"];
}

async function runAll(context: CliContext, { jobs, ...runs }: Runs): Promise<number> {
  const statuses: RunStatus[] = [];
  for (const job of jobs) {
    const { status } = await runOne(context, job, runs);
    statuses.push(status);
  }
  return worstOf(statuses);
}

async function runOne(
  context: CliContext,
  job: ReplicateJob,
  { state, flags, told }: Omit<Runs, "jobs">,
): Promise<RunOutcome> {
  const { clock, stdout, stderr, env } = context;
  const say = (line: string) => void stderr.write(`${job.name}: ${line}\n`);
  const tell = (outcome: RunOutcome): RunOutcome => {
    stderr.write(toText(outcome));
    if (flags.json) stdout.write(`${JSON.stringify(toJson(outcome, env))}\n`);
    return outcome;
  };
  const hooksOf = { env, clock, warn: (warning: string) => say(`warning: ${warning}`) };
  const startedAt = clock.now();
  if (told.signal.aborted)
    return tell(emptyOutcome(job.name, "failed", startedAt, "interrupted before it began"));
  let lock: Awaited<ReturnType<ReplicateState["lockJob"]>>;
  try {
    lock = await state.lockJob(job.name);
  } catch (error) {
    return tell(emptyOutcome(job.name, "failed", startedAt, messageOf(error)));
  }
  if (!isLock(lock)) return tell(runningOutcome(job.name, lock, startedAt));
  await using _held = lock;

  const start = { report: startReport(job.name, startedAt), event: "start", signal: told.signal } as const;
  const { warnings } = await runHooks(job.report.onStart, { ...hooksOf, ...start });
  const ran = await runJob({
    job,
    allowed: { rollback: flags.yesRollback, destroyTarget: flags.yesDestroyTarget },
    ...{ clock, env, say },
    signal: told.signal,
    remembered: toRemembered(await state.readVerified(job)),
    onRemember: (what) => state.rememberVerified(job, toVerified(job, what)),
    progress: stderr,
  });
  const outcome: RunOutcome = { ...ran, warnings: [...warnings, ...ran.warnings] };
  const complain = (error: unknown) => say(`warning: ${messageOf(error)}`);
  await state.rememberRun(outcome).catch(complain);
  tell(outcome);
  const isGood = outcome.status === "ok";
  const { warnings: untold } = await runHooks(isGood ? job.report.onSuccess : job.report.onFailure, {
    ...hooksOf,
    report: toJson(outcome, env),
    event: isGood ? "success" : "failure",
    // What ended the run does not keep anybody from being told of it: only a second signal does.
    signal: new AbortController().signal,
  });
  if (untold.length > 0)
    await state.amendRun({ ...outcome, warnings: [...outcome.warnings, ...untold] }).catch(complain);
  return outcome;
}

async function dryRunAll(
  context: CliContext,
  { jobs, flags, state, told }: Wanted & { readonly state: KnownState },
): Promise<number> {
  const { clock, stdout, stderr, env } = context;
  let code: number = exitCodes.ok;
  for (const job of jobs) {
    try {
      const { lines, bytes } = await dryRun({
        job,
        allowed: { rollback: flags.yesRollback, destroyTarget: flags.yesDestroyTarget },
        ...{ clock, env, signal: told.signal },
        remembered: toRemembered(await state.readVerified(job)),
      });
      const json = { job: job.name, dry_run: true, lines, bytes: bytes ?? null };
      stdout.write(flags.json ? `${JSON.stringify(json)}\n` : lines.map((line) => `${line}\n`).join(""));
    } catch (error) {
      stderr.write(`${job.name}: ${messageOf(error)}\n`);
      code = exitCodes.failed;
    }
  }
  return code;
}
