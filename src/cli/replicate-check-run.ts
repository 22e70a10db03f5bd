import type { ReplicateJob } from "../config/index.ts";
import { lookForNewest } from "../replicate/look/look.ts";
import { EXIT_CODES } from "../replicate/outcome.ts";
import { judge } from "../replicate/report/judge.ts";
import type { KnownState } from "../replicate/state/state.ts";
import { stayAlive } from "../util/clock.ts";
import { messageOf } from "../util/errors.ts";
import { type CliContext, exitCodes } from "./context.ts";
import type { CheckJobsFlags } from "./replicate.ts";
import { wantedJobs } from "./replicate-jobs.ts";
import { worstOf } from "./replicate-run.ts";
import { listenForEnd } from "./replicate-signals.ts";
import { knownStateOf } from "./replicate-state.ts";

export async function checkJobs(this: CliContext, flags: CheckJobsFlags, ...words: string[]): Promise<void> {
  using _alive = stayAlive();
  using told = listenForEnd(this);
  this.process.exitCode = exitCodes.usage;
  const jobs = await wantedJobs(this, { words, flags });
  const ageless = jobs?.filter(({ maxAgeMs }) => maxAgeMs === undefined).map(({ name }) => name);
  if (ageless && ageless.length > 0) {
    this.stderr.write(
      `lazyssh: how old may it be? Job ${ageless.join(", ")} has no max_age: give it one, or say --max-age 1h\n`,
    );
    return;
  }
  if (!jobs) return;
  const state = knownStateOf(this, flags.stateDir);
  const all = checkAll(this, jobs, { flags, state, signal: told.signal });
  const code = await Promise.race([all, told.twice]);
  this.process.exitCode = code === "twice" ? exitCodes.failed : code;
}

interface Checking {
  readonly flags: CheckJobsFlags;
  readonly state: KnownState;
  readonly signal: AbortSignal;
}

async function checkAll(
  context: CliContext,
  jobs: readonly ReplicateJob[],
  checking: Checking,
): Promise<number> {
  const { stdout, clock } = context;
  const source = checking.flags.offline ? "last verified run" : "target";
  const statuses: ("ok" | "stale" | "failed")[] = [];
  for (const job of jobs) {
    let newest: ReadonlyMap<string, number | undefined> | undefined;
    let problem: string | undefined;
    try {
      newest = await newestOf(context, job, checking);
    } catch (error) {
      problem = messageOf(error);
    }
    const maxAgeMs = job.maxAgeMs ?? 0;
    const now = clock.now();
    const { status, lines } = judge({ ...{ job: job.name, newest, maxAgeMs, now, source } });
    const said = problem === undefined ? lines : [...lines, problem];
    statuses.push(status);
    const datasets = [...(newest ?? [])].map(([dataset, creation]) => ({
      source: dataset,
      newest: creation === undefined ? null : new Date(creation * 1_000).toISOString(),
      age_seconds: creation === undefined ? null : Math.max(0, Math.floor(now / 1_000 - creation)),
    }));
    const json = {
      ...{ job: job.name, status, from: source, max_age_seconds: maxAgeMs / 1_000, datasets },
      ...{ error: problem ?? null, exit_code: EXIT_CODES[status] },
    };
    stdout.write(
      checking.flags.json ? `${JSON.stringify(json)}\n` : said.map((line) => `${line}\n`).join(""),
    );
  }
  return worstOf(statuses);
}

/** Undefined when no run has verified anything. */
async function newestOf(
  { clock, env, stderr }: CliContext,
  job: ReplicateJob,
  { flags, state, signal }: Checking,
): Promise<ReadonlyMap<string, number | undefined> | undefined> {
  const verified = await state.readVerified(job);
  if (flags.offline) {
    return verified && new Map(verified.datasets.map(({ source, creation }) => [source, creation]));
  }
  const say = (line: string) => void stderr.write(`${job.name}: ${line}\n`);
  return lookForNewest({ job, clock, env, signal, received: verified?.received, say });
}
