import { open } from "node:fs/promises";
import { join } from "node:path";
import { writeDurably } from "../../util/durable.ts";
import { EXIT_CODES, type RunOutcome } from "../outcome.ts";
import { contentOf } from "./folder.ts";

const FILE = "history.jsonl";
const MOST_RUNS = 1_000;
/** Runs of very many datasets are kept as long as they fit into it. */
const MOST_BYTES = 16 * 2 ** 20;
/** Above both, so that not every run writes all of them anew. */
const SLACK = 1.1;

/** One run as a line of JSON at the end of the file; on the disk once it has resolved. */
export async function appendRun(folder: string, outcome: RunOutcome): Promise<void> {
  const path = join(folder, FILE);
  const before = (await contentOf(path)) ?? "";
  // A crash may have torn the last line: it ends here, so that this one is whole.
  const line = `${before === "" || before.endsWith("\n") ? "" : "\n"}${JSON.stringify(outcome)}\n`;
  const all = before + line;
  const lines = linesOf(all);
  if (lines.length > MOST_RUNS * SLACK || all.length > MOST_BYTES * SLACK) {
    return writeDurably(path, newestOf(lines));
  }
  const file = await open(path, "a", 0o600);
  try {
    await file.appendFile(line);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The last run anew, with what has become known of it since. Any other is left as it is, and this one added. */
export async function amendRun(folder: string, outcome: RunOutcome): Promise<void> {
  const path = join(folder, FILE);
  const lines = linesOf((await contentOf(path)) ?? "");
  if (parse(lines.at(-1) ?? "")?.startedAt === outcome.startedAt) lines.pop();
  await writeDurably(path, newestOf([...lines, JSON.stringify(outcome)]));
}

/** The newest last, at most `limit`. Lines that are no runs are passed over: a crash tears one at times. */
export async function readRuns(folder: string, limit: number): Promise<readonly RunOutcome[]> {
  const lines = linesOf((await contentOf(join(folder, FILE))) ?? "");
  const runs: RunOutcome[] = [];
  const most = Math.min(limit, MOST_RUNS);
  // From the end, for most ask for a few.
  for (let at = lines.length - 1; at >= 0 && runs.length < most; at--) {
    const run = parse(lines[at] ?? "");
    if (run) runs.push(run);
  }
  return runs.reverse();
}

function linesOf(content: string): string[] {
  return content.split("\n").filter((line) => line !== "");
}

/** At least one, and as many more as there is room for. */
function newestOf(lines: readonly string[]): string {
  const kept: string[] = [];
  let bytes = 0;
  for (const line of lines.slice(-MOST_RUNS).reverse()) {
    bytes += line.length + 1;
    if (bytes > MOST_BYTES && kept.length > 0) break;
    kept.push(line);
  }
  return `${kept.reverse().join("\n")}\n`;
}

function parse(line: string): RunOutcome | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isRun(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** As far as it is looked at: another version may have written more. JSON has no undefined, so what was that is not there. */
function isRun(value: unknown): value is RunOutcome {
  if (typeof value !== "object" || value === null) return false;
  const { job, status, startedAt, seconds, bytes, datasets, errors, warnings } = value as Record<
    string,
    unknown
  >;
  return (
    typeof job === "string" &&
    typeof status === "string" &&
    Object.hasOwn(EXIT_CODES, status) &&
    [startedAt, seconds, bytes].every(Number.isFinite) &&
    Array.isArray(datasets) &&
    datasets.every(isDataset) &&
    [errors, warnings].every(isTexts)
  );
}

function isDataset(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { source, target, status, bytes, seconds, snapshots, destroyed } = value as Record<string, unknown>;
  return (
    isTexts([source, target, status]) &&
    [bytes, seconds].every(Number.isFinite) &&
    [snapshots, destroyed].every(isTexts)
  );
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}
