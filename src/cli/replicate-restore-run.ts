import type { ReplicateJob } from "../config/index.ts";
import { EXIT_CODES, type RunOutcome } from "../replicate/outcome.ts";
import { toJson } from "../replicate/report/json.ts";
import { toText } from "../replicate/report/text.ts";
import { restoreJob } from "../replicate/restore/restore.ts";
import type { ReplicateState } from "../replicate/state/state.ts";
import { stayAlive } from "../util/clock.ts";
import { messageOf } from "../util/errors.ts";
import { quoteWhereNeeded } from "../util/shell.ts";
import { type CliContext, exitCodes } from "./context.ts";
import type { RestoreFlags } from "./replicate.ts";
import { jobOfWays } from "./replicate-job.ts";
import { wantedJobs } from "./replicate-jobs.ts";
import { listenForEnd } from "./replicate-signals.ts";
import { emptyOutcome, isLock, runningOutcome, stateOf } from "./replicate-state.ts";

export async function restore(this: CliContext, flags: RestoreFlags, ...words: string[]): Promise<void> {
  using _alive = stayAlive();
  using told = listenForEnd(this);
  this.process.exitCode = exitCodes.usage;
  const [job, ...others] = (await wantedJobs(this, { words, flags })) ?? [];
  if (!job) return;
  const problem =
    others.length > 0
      ? "one job at a time is restored"
      : (toProblem(job, flags.to) ?? snapshotProblem(flags));
  if (problem !== undefined) {
    this.stderr.write(`lazyssh: ${problem}\n`);
    return;
  }
  const state = await stateOf(this, flags.stateDir);
  if (!state) return;
  const run = restoreOne(this, job, { flags, state, signal: told.signal });
  const outcome = await Promise.race([run, told.twice]);
  this.process.exitCode = outcome === "twice" ? exitCodes.failed : EXIT_CODES[outcome.status];
}

/** Read as all names of datasets are. */
function toProblem(job: ReplicateJob, to: string | undefined): string | undefined {
  if (to === undefined) return undefined;
  const read = jobOfWays({ direction: "push", source: to, target: "host", destination: "a" }, {});
  if ("problems" in read) return read.problems.join(" ").replaceAll("SRC:", "--to:");
  const [inner, outer] = [to, job.destination].map((name) => `${name}/`);
  return inner?.startsWith(outer ?? "") && job.direction === "pull"
    ? `--to: ${to} is in the replica itself, ${job.destination}`
    : undefined;
}

function snapshotProblem({ snapshot }: RestoreFlags): string | undefined {
  if (snapshot === undefined || /^[\w.: -]+$/.test(snapshot)) return undefined;
  return `--snapshot: a name is needed, which is what stands after the "@", and not "${snapshot}"`;
}

interface Restoring {
  readonly flags: RestoreFlags;
  readonly state: ReplicateState;
  readonly signal: AbortSignal;
}

async function restoreOne(
  context: CliContext,
  job: ReplicateJob,
  { flags, state, signal }: Restoring,
): Promise<RunOutcome> {
  const { clock, env, stdout, stderr } = context;
  const to = flags.to ?? job.source;
  const say = (line: string) => void stderr.write(`${job.name}: ${line}\n`);
  const tell = (outcome: RunOutcome): RunOutcome => {
    stderr.write(toText(outcome));
    if (flags.json) stdout.write(`${JSON.stringify(toJson(outcome, env))}\n`);
    if (outcome.status === "ok") say(mounting(to, job));
    return outcome;
  };
  const startedAt = clock.now();
  try {
    const lock = await state.lockJob(job.name);
    if (!isLock(lock)) return tell(runningOutcome(job.name, lock, startedAt));
    await using _held = lock;
    const outcome = await restoreJob({
      ...{ job, to, snapshot: flags.snapshot, replace: flags.yesDestroyTarget },
      ...{ clock, env, signal, progress: stderr, say },
    });
    return tell(outcome);
  } catch (error) {
    return tell(emptyOutcome(job.name, "failed", startedAt, messageOf(error)));
  }
}

/** It is for a person to say where. */
function mounting(to: string, { direction, target }: ReplicateJob): string {
  const where = direction === "push" ? "" : ` on ${target}`;
  const name = quoteWhereNeeded([to]);
  return `${to} is not mounted. To see it${where}: zfs set mountpoint=/PATH ${name} && zfs mount ${name} (first zfs load-key ${name}, if it is encrypted). For it to be mounted at every import: zfs set canmount=on ${name}`;
}
