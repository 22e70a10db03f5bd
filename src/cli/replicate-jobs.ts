import { existsSync } from "node:fs";
import { loadJobs, type ReplicateJob, renderDiagnostics } from "../config/index.ts";
import { nearest } from "../util/nearest.ts";
import type { CliContext } from "./context.ts";
import { variables } from "./flags.ts";
import { type JobFlags, type JobResult, jobOfWays, jobWithFlags } from "./replicate-job.ts";
import { type JumpOptions, withOwnJump } from "./replicate-jump.ts";
import { readWords } from "./replicate-words.ts";

const DEFAULT_FILE = "config.hcl";

export interface JobsWanted {
  readonly words: readonly string[];
  readonly flags: JobFlags & { readonly all?: boolean };
}

/** The jobs that are meant, or undefined after it was told on standard error why there are none. */
export async function wantedJobs(
  context: CliContext,
  wanted: JobsWanted,
): Promise<readonly ReplicateJob[] | undefined> {
  const { stderr } = context;
  const complain = (problems: readonly string[]): undefined => {
    for (const problem of problems) stderr.write(`lazyssh: ${problem}\n`);
    return undefined;
  };
  const words = readWords(wanted.words);
  if (words.kind === "wrong") return complain([words.problem]);
  if (words.kind === "datasets" && wanted.flags.all)
    return complain(["--all is for jobs of a file: leave out the datasets"]);
  const file = await readFile(context, wanted.flags, words.kind === "jobs");
  if (file === undefined) return undefined;
  const chosen = words.kind === "jobs" ? choose(file, words.names, wanted.flags) : undefined;
  if (chosen && "problem" in chosen) return complain([chosen.problem]);
  const results: readonly JobResult[] = chosen
    ? chosen.jobs.map((job) => jobWithFlags(job, wanted.flags))
    : words.kind === "datasets"
      ? [jobOfWays(words, wanted.flags)]
      : [];
  const jobs: ReplicateJob[] = [];
  for (const result of results) {
    if ("problems" in result) return complain(result.problems);
    for (const warning of result.warnings) stderr.write(`lazyssh: warning: ${warning}\n`);
    jobs.push(await withOwnJump(result.job, { ...file, ...context }));
  }
  return jobs;
}

interface JobsFile extends Pick<JumpOptions, "targets" | "listen"> {
  readonly path: string;
  readonly jobs: readonly ReplicateJob[];
}

/** Undefined: it was told what is wrong. Who gives datasets needs none; one that is there all the same says what its targets are. */
async function readFile(
  { env, stderr }: CliContext,
  flags: JobFlags,
  needed: boolean,
): Promise<JobsFile | undefined> {
  const path = flags.config ?? DEFAULT_FILE;
  const none: JobsFile = { path, jobs: [], targets: [], listen: undefined };
  if (!needed && flags.config === undefined && !existsSync(path)) return none;
  const { jobs, diagnostics, sources, targets, listen } = await loadJobs({
    file: path,
    env,
    vars: variables(flags.var),
  });
  if (diagnostics.length > 0)
    stderr.write(renderDiagnostics(diagnostics, sources, { color: stderr.isTTY === true }));
  if (jobs) return { path, jobs, targets, listen };
  if (needed || flags.config !== undefined) return undefined;
  stderr.write(`lazyssh: warning: ${path} is not valid, and is passed over\n`);
  return none;
}

function choose(
  { path, jobs }: JobsFile,
  names: readonly string[],
  { all, name }: JobsWanted["flags"],
): { readonly jobs: readonly ReplicateJob[] } | { readonly problem: string } {
  const there = jobs.map((job) => job.name);
  if (name !== undefined)
    return { problem: "--name is for a job that is given by flags: those of a file have theirs" };
  if (jobs.length === 0)
    return { problem: `${path} has no replicate block: add one, or give SRC TARGET:DST` };
  if (all) return names.length === 0 ? { jobs } : { problem: "--all or names of jobs, not both" };
  if (names.length === 0) {
    if (jobs.length === 1) return { jobs };
    return { problem: `${path} has ${jobs.length} jobs: name some of ${there.join(", ")}, or give --all` };
  }
  const found: ReplicateJob[] = [];
  for (const wanted of new Set(names)) {
    const job = jobs.find((one) => one.name === wanted);
    if (!job) {
      const close = nearest(wanted, there);
      const hint = close === undefined ? `It has: ${there.join(", ")}` : `Did you mean ${close}?`;
      return { problem: `there is no job "${wanted}" in ${path}. ${hint}` };
    }
    found.push(job);
  }
  return { jobs: found };
}
