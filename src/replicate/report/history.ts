import { formatBytes } from "../../util/bytes.ts";
import { formatDuration } from "../../util/duration.ts";
import { harmlessLine } from "./harmless.ts";
import type { DatasetReport, Report } from "./json.ts";

const LONGEST_ERROR = 120;
const HEAD = ["STARTED", "STATUS", "TOOK", "BOOT", "SENT", "DATASETS", ""];

/** Earlier runs as a table, in the order in which they are given. Moments are UTC. */
export function historyToText(runs: readonly Report[]): string {
  if (runs.length === 0) return "no run has been recorded\n";
  const rows = [HEAD, ...runs.map(rowOf)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}

/** One JSON object a line, as hooks have got it. */
export function historyToJsonLines(runs: readonly Report[]): string {
  return runs.map((run) => `${JSON.stringify(run)}\n`).join("");
}

function rowOf(run: Report): string[] {
  return [
    harmlessLine(run.started.replace(/\.\d+Z$/, "Z")),
    run.status,
    formatDuration(run.seconds * 1_000),
    typeof run.boot_seconds === "number" ? formatDuration(run.boot_seconds * 1_000) : "-",
    run.bytes > 0 ? formatBytes(run.bytes) : "-",
    counts(run.datasets),
    firstError(run),
  ];
}

/** "3 ok, 1 failed". */
function counts(datasets: readonly DatasetReport[]): string {
  const by = new Map<string, number>();
  for (const { status } of datasets) by.set(status, (by.get(status) ?? 0) + 1);
  return harmlessLine([...by].map(([status, number]) => `${number} ${status}`).join(", ")) || "-";
}

function firstError({ errors, datasets }: Report): string {
  const bad = datasets.find(({ error }) => error !== null);
  const text = harmlessLine(errors[0] ?? (bad ? `${bad.source}: ${bad.error}` : ""));
  return text.length <= LONGEST_ERROR ? text : `${text.slice(0, LONGEST_ERROR - 1)}…`;
}
