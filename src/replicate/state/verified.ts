import { join } from "node:path";
import type { ReplicateJob } from "../../config/replicate.ts";
import { writeDurably } from "../../util/durable.ts";
import { messageOf } from "../../util/errors.ts";
import { contentOf } from "./folder.ts";

const FILE = "verified.json";

/** What the last verified run has left on the receiving side, as it was read back there. */
export interface Verified {
  /** When the receiving side was looked at last, in milliseconds since the epoch. */
  readonly at: number;
  readonly datasets: readonly VerifiedDataset[];
  /** GUIDs of all snapshots there that came from the source, also of those that the source has no more, by target dataset. */
  readonly received: ReadonlyMap<string, readonly string[]>;
  /** When a scrub was last started, or seen to be finished, in milliseconds since the epoch. */
  readonly scrubbedAt: number | undefined;
}

/** A dataset that had all that was wanted, and its newest common snapshot. */
export interface VerifiedDataset {
  readonly source: string;
  readonly target: string;
  readonly guid: string;
  /** What stands after the "@". */
  readonly name: string;
  /** Seconds since the epoch. */
  readonly creation: number;
}

/** A job that goes elsewhere is another job, whatever its name: of what is there nothing is known. */
export type VerifiedJob = Pick<
  ReplicateJob,
  "name" | "direction" | "target" | "source" | "destination" | "ssh"
>;

export async function writeVerified(folder: string, job: VerifiedJob, verified: Verified): Promise<void> {
  const { at, datasets, received, scrubbedAt } = verified;
  const content = {
    at,
    target: job.target,
    destination: job.destination,
    place: placeOf(job),
    datasets: datasets.map(({ source, target, guid, name, creation }) => ({
      ...{ source, target, guid, name, creation },
    })),
    received: [...received],
    scrubbedAt,
  };
  await writeDurably(join(folder, FILE), `${JSON.stringify(content, undefined, 1)}\n`);
}

/** Undefined when there is none, when it is of another place, and, with a warning, when there is any doubt: half of it would leave out runs. */
export async function readVerified(
  folder: string,
  job: VerifiedJob,
  warn: (words: string) => void,
): Promise<Verified | undefined> {
  const path = join(folder, FILE);
  try {
    const text = await contentOf(path);
    if (text === undefined) return undefined;
    const { place, ...content } = fieldsOf(JSON.parse(text), "it");
    if (typeof place !== "string") throw new Error("it does not say of which job it is");
    const verified = verifiedOf(content);
    return place === placeOf(job) ? verified : undefined;
  } catch (error) {
    warn(
      `cannot tell from ${path} what the last run of ${job.name} has left: ${messageOf(error)}; ` +
        "it counts as unknown, and the next run that succeeds writes it anew",
    );
    return undefined;
  }
}

function placeOf({ direction, target, source, destination, ssh }: VerifiedJob): string {
  const { config, jump, port, options } = ssh;
  const parts = [direction, target, source, destination, config ?? "", jump ?? "", port ?? "", ...options];
  return JSON.stringify(parts);
}

function verifiedOf({ at, datasets, received, scrubbedAt }: Record<string, unknown>): Verified {
  if (!isTime(at)) throw new Error("it has no time");
  if (scrubbedAt !== undefined && !isTime(scrubbedAt)) throw new Error("its time of a scrub is none");
  if (!Array.isArray(datasets)) throw new Error("it has no datasets");
  if (!Array.isArray(received)) throw new Error("it does not say what was received");
  return {
    at,
    datasets: datasets.map(datasetOf),
    received: new Map(received.map(receivedOf)),
    scrubbedAt,
  };
}

function datasetOf(value: unknown): VerifiedDataset {
  const { source, target, guid, name, creation } = fieldsOf(value, "a dataset of it");
  if (isName(source) && isName(target) && isGuid(guid) && isName(name) && isTime(creation)) {
    return { source, target, guid, name, creation };
  }
  throw new Error(`what it says of ${isName(source) ? source : "a dataset"} is not whole`);
}

function receivedOf(value: unknown): readonly [string, readonly string[]] {
  const [target, guids] = Array.isArray(value) ? (value as unknown[]) : [];
  if (isName(target) && Array.isArray(guids) && guids.every(isGuid)) return [target, guids];
  throw new Error("what it says was received is not whole");
}

function fieldsOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new Error(`${what} is no object`);
}

function isTime(value: unknown): value is number {
  return Number.isFinite(value);
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isGuid(value: unknown): value is string {
  return typeof value === "string" && /^\d{1,20}$/.test(value);
}
