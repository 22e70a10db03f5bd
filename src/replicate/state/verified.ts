import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ReplicateJob } from "../../config/replicate.ts";
import { writeDurably } from "../../util/durable.ts";
import { messageOf } from "../../util/errors.ts";
import type { RunOutcome } from "../outcome.ts";
import { cameThrough } from "../report/status.ts";
import { jobFolder, openJob, type ReplicateState } from "./folder.ts";

const FILE = "verified.json";

/** What is known to be on the other side, as runs have read it back. */
export interface Verified {
  readonly datasets: readonly VerifiedDataset[];
}

export interface VerifiedDataset {
  readonly source: string;
  readonly target: string;
  /** The newest common snapshot. */
  readonly guid: string;
  readonly name: string;
  /** Seconds since the epoch. */
  readonly creation: number;
  /** When it was seen there, in milliseconds since the epoch. */
  readonly at: number;
  /** Nothing went wrong in the last run. Otherwise a run may not do without a look, though nothing is new. */
  readonly settled: boolean;
}

export interface ReadVerified {
  /** Undefined when no run has left it, and whenever there is any doubt. */
  readonly verified: Verified | undefined;
  /** Why what is there does not count, in words. */
  readonly problem: string | undefined;
}

/** What makes a job the same job: as soon as it goes elsewhere, nothing is known of what is there. */
export type Whereabouts = Pick<
  ReplicateJob,
  "name" | "direction" | "target" | "source" | "destination" | "ssh"
>;

/**
 * What the last run of a job has left, for `check --offline`, and for runs that want to know whether anything is new ({@link settledGuids}).
 * Never rejects for what is in the file.
 */
export async function readVerified(state: ReplicateState, job: Whereabouts): Promise<ReadVerified> {
  const path = join(jobFolder(state, job.name), FILE);
  try {
    const { place, datasets } = JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
    if (typeof place !== "string" || !Array.isArray(datasets) || !datasets.every(isDataset)) {
      return {
        verified: undefined,
        problem: `${path} is not what a run writes; the next run writes it anew`,
      };
    }
    if (place !== placeOf(job)) {
      const problem = `${path} is of before the job ${job.name} was changed; the next run writes it anew`;
      return { verified: undefined, problem };
    }
    return { verified: { datasets }, problem: undefined };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT")
      return { verified: undefined, problem: undefined };
    return {
      verified: undefined,
      problem: `${path} cannot be read: ${messageOf(error)}; the next run writes it anew`,
    };
  }
}

/** Target dataset → GUID of what is there, of those where nothing went wrong: for `wouldSendNothing`. */
export function settledGuids({ verified }: ReadVerified): ReadonlyMap<string, string> {
  const settled = verified?.datasets.filter((dataset) => dataset.settled) ?? [];
  return new Map(settled.map(({ target, guid }) => [target, guid]));
}

/**
 * Keeps what a run has found on the other side. To be called, by who holds the job's lock, after every run that wanted to look there, also one
 * that failed; not after one that found nothing new and did without.
 */
export async function rememberVerified(
  state: ReplicateState,
  job: Whereabouts,
  outcome: RunOutcome,
): Promise<void> {
  await openJob(state, job.name);
  const { verified } = await readVerified(state, job);
  const content = { place: placeOf(job), datasets: afterRun(verified, outcome) };
  await writeDurably(join(jobFolder(state, job.name), FILE), `${JSON.stringify(content, undefined, 1)}\n`);
}

/** Where a run did not come to look, what was there before counts for its age, and not for doing without a look. */
function afterRun(
  before: Verified | undefined,
  { datasets, errors, startedAt, seconds }: RunOutcome,
): VerifiedDataset[] {
  const at = Math.round(startedAt + seconds * 1_000);
  const earlier = before?.datasets ?? [];
  if (datasets.length === 0) return earlier.map((dataset) => ({ ...dataset, settled: false }));
  return datasets.flatMap((dataset): VerifiedDataset[] => {
    const { source, target, newest } = dataset;
    const settled = errors.length === 0 && cameThrough(dataset);
    if (newest) return [{ source, target, ...newest, at, settled }];
    const known = earlier.find((one) => one.source === source && one.target === target);
    return known && !cameThrough(dataset) ? [{ ...known, settled: false }] : [];
  });
}

function placeOf({ direction, target, source, destination, ssh }: Whereabouts): string {
  const { config, user, jump, port, options } = ssh;
  return JSON.stringify([direction, target, source, destination, { config, user, jump, port, options }]);
}

function isDataset(value: unknown): value is VerifiedDataset {
  if (typeof value !== "object" || value === null) return false;
  const { source, target, guid, name, creation, at, settled } = value as Record<
    keyof VerifiedDataset,
    unknown
  >;
  return (
    [source, target, guid, name].every((text) => typeof text === "string" && text !== "") &&
    /^\d+$/.test(String(guid)) &&
    isMoment(creation, 1_000) &&
    isMoment(at, 1) &&
    typeof settled === "boolean"
  );
}

/** Whether a Date can be made of it. */
function isMoment(value: unknown, unitMs: number): boolean {
  return typeof value === "number" && !Number.isNaN(new Date(value * unitMs).getTime());
}
