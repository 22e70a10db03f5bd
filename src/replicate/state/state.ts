import { createHash } from "node:crypto";
import { join } from "node:path";
import { type Clock, systemClock } from "../../util/clock.ts";
import { takeSocketLock } from "../../util/socket-lock.ts";
import { addressable } from "../../util/socket-path.ts";
import type { RunOutcome } from "../outcome.ts";
import { checkJobName, inState, makeFolder, namesIn } from "./folder.ts";
import { amendRun, appendRun, readRuns } from "./history.ts";
import { readVerified, type Verified, type VerifiedJob, writeVerified } from "./verified.ts";

/**
 * What earlier runs have left, by job, for who only looks: nothing is made or written. What cannot be made sense of is taken to be absent, so
 * that no backup fails of it, and no run is left out for it. What cannot be reached rejects with `CONFIG_INVALID`.
 */
export interface KnownState {
  readonly path: string;
  /** Names of jobs of which something is remembered, sorted. */
  jobs(): Promise<readonly string[]>;
  /** The newest last; at most `limit`, of at most 1000 that are kept. */
  readHistory(job: string, limit: number): Promise<readonly RunOutcome[]>;
  /** Undefined when nothing is known for sure of what the job has left where it goes to now. */
  readVerified(job: VerifiedJob): Promise<Verified | undefined>;
}

/** The same for a run, which leaves something. What cannot be written rejects with `CONFIG_INVALID`, too. */
export interface ReplicateState extends KnownState {
  /** So that a job runs once at a time: to be taken before anything else is done. */
  lockJob(job: string): Promise<JobLock | JobHeld>;
  /** On the disk once it has resolved. To be called by who holds the job's lock. */
  rememberRun(outcome: RunOutcome): Promise<void>;
  /** The same for a run that was remembered already, with more that is known of it. */
  amendRun(outcome: RunOutcome): Promise<void>;
  /** On the disk once it has resolved. To be called by who holds the job's lock. */
  rememberVerified(job: VerifiedJob, verified: Verified): Promise<void>;
}

/** Given up by `release`, and by the kernel when this process dies, however it dies. */
export interface JobLock extends AsyncDisposable {
  release(): Promise<void>;
}

export interface JobHeld {
  /** Undefined when the holder does not tell, because it is stopped, say. `since`: milliseconds since the epoch. */
  readonly heldBy: { readonly pid: number; readonly since: number } | undefined;
}

export interface ReplicateStateOptions {
  /** Told of files that are damaged. */
  readonly warn: (words: string) => void;
  /** Default: the machine's own. */
  readonly clock?: Clock;
}

/** Of a folder that need not be there: then nothing is known. */
export function knownState(path: string, { warn }: Pick<ReplicateStateOptions, "warn">): KnownState {
  return {
    path,
    jobs: () => inState(path, async () => (await namesIn(join(path, JOBS))).sort()),
    readHistory: (job, limit) => inJob(path, job, (folder) => readRuns(folder, limit)),
    readVerified: (job) => inJob(path, job.name, (folder) => readVerified(folder, job, warn)),
  };
}

const JOBS = "jobs";

/** Has something done with the folder of a job, which need not be there yet. */
function inJob<T>(path: string, job: string, use: (folder: string) => Promise<T>): Promise<T> {
  return inState(path, async () => {
    checkJobName(job);
    return use(join(path, JOBS, job));
  });
}

/**
 * Makes the folder (mode 0700) where it is missing. See {@link chooseReplicateDir} for which one.
 *
 * @throws LazysshError `CONFIG_INVALID` when it cannot be made, or nothing can be written there.
 */
export async function openReplicateState(
  path: string,
  { warn, clock = systemClock }: ReplicateStateOptions,
): Promise<ReplicateState> {
  // Not in the folder of the job: with its name a socket's address would be too long.
  const locks = join(path, "locks");
  await inState(path, async () => {
    requireRoom(locks);
    for (const folder of [path, join(path, JOBS), locks]) await makeFolder(folder);
  });

  return {
    ...knownState(path, { warn }),
    lockJob: (job) => inJob(path, job, () => lock(locks, job, clock)),
    rememberRun: (outcome) =>
      inJob(path, outcome.job, async (folder) => {
        await makeFolder(folder);
        await appendRun(folder, outcome);
      }),
    amendRun: (outcome) => inJob(path, outcome.job, (folder) => amendRun(folder, outcome)),
    rememberVerified: (job, verified) =>
      inJob(path, job.name, async (folder) => {
        await makeFolder(folder);
        await writeVerified(folder, job, verified);
      }),
  };
}

/** Said before anything is done, and not when the first job is about to run. */
function requireRoom(locks: string): void {
  try {
    addressable(join(locks, `${lockNameOf("")}.0000000`));
  } catch (cause) {
    throw new Error("its path is longer than the 80 bytes that leave room for a socket in it", { cause });
  }
}

function lockNameOf(job: string): string {
  return createHash("sha256").update(job).digest("hex").slice(0, 8);
}

async function lock(folder: string, job: string, clock: Clock): Promise<JobLock | JobHeld> {
  const name = lockNameOf(job);
  const taking = await takeSocketLock({ folder, name, clock });
  if (taking.kind === "taken") {
    const release = () => taking.lock.close();
    return { release, [Symbol.asyncDispose]: release };
  }
  const { pid, since } = taking.holder;
  return { heldBy: pid === undefined || since === undefined ? undefined : { pid, since } };
}
