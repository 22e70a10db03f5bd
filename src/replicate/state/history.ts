import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeDurably } from "../../util/durable.ts";
import { EXIT_CODES } from "../outcome.ts";
import type { Report } from "../report/json.ts";
import { jobFolder, openJob, type ReplicateState } from "./folder.ts";

/** What earlier runs have left behind of a job: one {@link Report} a line, the latest last. */
const FILE = "history.jsonl";

export interface HistoryLimits {
  readonly runs: number;
  readonly bytes: number;
}

const LIMITS: HistoryLimits = { runs: 1_000, bytes: 16 * 2 ** 20 };

export interface History {
  /** The latest last. */
  readonly runs: readonly Report[];
  /** What could not be read, in words. It is left out, and nothing else is lost for it. */
  readonly problem: string | undefined;
}

/** The latest runs of a job, at most so many. A job that never ran has none. Never rejects for what is in the file. */
export async function readHistory(state: ReplicateState, job: string, limit = LIMITS.runs): Promise<History> {
  const path = join(jobFolder(state, job), FILE);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { runs: [], problem: code === "ENOENT" ? undefined : `the history cannot be read: ${message}` };
  }
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const read = lines.map(parse);
  const runs = read.filter((run) => run !== undefined);
  const damaged = read.length - runs.length;
  const what = damaged === 1 ? "1 line" : `${damaged} lines`;
  return {
    runs: limit > 0 ? runs.slice(-limit) : [],
    problem:
      damaged === 0
        ? undefined
        : `${what} of ${path} cannot be read, and ${damaged === 1 ? "is" : "are"} left out`,
  };
}

/**
 * Adds a run; when this has resolved it stays. To be called by who holds the job's lock. What a crash has cut off at the end of the file is
 * taken away; of more than 1000 runs, or 16 MiB, a tenth more than that at times, only the latest are kept.
 */
export async function rememberRun(state: ReplicateState, report: Report, limits = LIMITS): Promise<void> {
  await openJob(state, report.job);
  const path = join(jobFolder(state, report.job), FILE);
  const line = `${JSON.stringify(report)}\n`;
  const known = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (known === undefined) return writeDurably(path, line);
  const whole = known.lastIndexOf(0x0a) + 1;
  await append(path, whole, line);
  const lines = [...known.subarray(0, whole).toString().split("\n").slice(0, -1), line.slice(0, -1)];
  if (lines.length <= limits.runs * 1.1 && whole + Buffer.byteLength(line) <= limits.bytes * 1.1) return;
  await writeDurably(path, latest(lines, limits));
}

async function append(path: string, whole: number, line: string): Promise<void> {
  const file = await open(path, "a");
  try {
    await file.truncate(whole);
    await file.appendFile(line);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** At least one, and of the others as many as there is room for. */
function latest(lines: readonly string[], { runs, bytes }: HistoryLimits): string {
  const kept: string[] = [];
  let size = 0;
  for (const line of lines.slice(-runs).reverse()) {
    size += Buffer.byteLength(line) + 1;
    if (size > bytes && kept.length > 0) break;
    kept.push(line);
  }
  return `${kept.reverse().join("\n")}\n`;
}

function parse(line: string): Report | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isReport(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** As far as it is looked at: a later lazyssh may have written more. */
function isReport(value: unknown): value is Report {
  if (typeof value !== "object" || value === null) return false;
  const { job, status, started, seconds, bytes, datasets, errors } = value as Record<keyof Report, unknown>;
  return (
    typeof job === "string" &&
    typeof status === "string" &&
    Object.hasOwn(EXIT_CODES, status) &&
    typeof started === "string" &&
    typeof seconds === "number" &&
    typeof bytes === "number" &&
    Array.isArray(errors) &&
    errors.every((error) => typeof error === "string") &&
    Array.isArray(datasets) &&
    datasets.every(isDataset)
  );
}

function isDataset(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { source, status, error } = value as Record<string, unknown>;
  return (
    typeof source === "string" && typeof status === "string" && (error === null || typeof error === "string")
  );
}
