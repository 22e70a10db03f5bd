import type { ReplicateJob } from "../config/index.ts";
import type { RunOutcome } from "../replicate/outcome.ts";
import { sourceName } from "../replicate/plan/names.ts";
import type { Remembered } from "../replicate/run/options.ts";
import { chooseReplicateDir } from "../replicate/state/choose.ts";
import {
  type JobHeld,
  type JobLock,
  type KnownState,
  knownState,
  openReplicateState,
  type ReplicateState,
} from "../replicate/state/state.ts";
import type { Verified } from "../replicate/state/verified.ts";
import { messageOf } from "../util/errors.ts";
import type { CliContext } from "./context.ts";

/** The state of replication, or undefined after it was told why it cannot be used. */
export async function stateOf(
  { env, clock, stderr }: CliContext,
  flag: string | undefined,
): Promise<ReplicateState | undefined> {
  const warn = (words: string) => stderr.write(`lazyssh: warning: ${words}\n`);
  try {
    return await openReplicateState(chooseReplicateDir({ flag }, env), { warn, clock });
  } catch (error) {
    stderr.write(`lazyssh: ${messageOf(error)}\n`);
    return undefined;
  }
}

/** The same for who only looks: nothing is made, and nothing of it fails before it is read. */
export function knownStateOf({ env, stderr }: CliContext, flag: string | undefined): KnownState {
  const warn = (words: string) => stderr.write(`lazyssh: warning: ${words}\n`);
  return knownState(chooseReplicateDir({ flag }, env), { warn });
}

export function isLock(taken: JobLock | JobHeld): taken is JobLock {
  return "release" in taken;
}

/** What is told of a job that another process is at. */
export function runningOutcome(job: string, { heldBy }: JobHeld, now: number): RunOutcome {
  const who = heldBy
    ? `process ${heldBy.pid}, since ${new Date(heldBy.since).toISOString()}`
    : "a process that does not answer; it may be stopped";
  return emptyOutcome(job, "running", now, `${job} is running already: ${who}`);
}

export function emptyOutcome(
  job: string,
  status: RunOutcome["status"],
  now: number,
  error: string,
): RunOutcome {
  return {
    ...{
      job,
      status,
      startedAt: now,
      seconds: 0,
      bootSeconds: undefined,
      machineSeconds: undefined,
      bytes: 0,
    },
    ...{ datasets: [], errors: [error], warnings: [], scrub: undefined },
  };
}

export function toVerified(job: ReplicateJob, { at, newest, received, scrubbedAt }: Remembered): Verified {
  const datasets = [...newest].map(([target, point]) => ({
    source: sourceName(target, job),
    target,
    ...point,
  }));
  return { at, datasets, received, scrubbedAt };
}

export function toRemembered(verified: Verified | undefined): Remembered | undefined {
  if (!verified) return undefined;
  const { at, datasets, received, scrubbedAt } = verified;
  const newest = new Map(
    datasets.map(({ target, guid, name, creation }) => [target, { guid, name, creation }] as const),
  );
  return { at, newest, received, scrubbedAt };
}
