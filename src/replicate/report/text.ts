import { formatBytes } from "../../util/bytes.ts";
import { formatDuration } from "../../util/duration.ts";
import { type DatasetOutcome, EXIT_CODES, type RunOutcome } from "../outcome.ts";
import { harmless } from "./harmless.ts";

/** A run for people: a line a dataset, what it cost, and last, because that is what is read, all that went wrong. */
export function toText(outcome: RunOutcome): string {
  const { job, status, datasets, errors, warnings, scrub } = outcome;
  const wrong = [
    ...datasets.flatMap(({ source, error }) => (error === undefined ? [] : [`${source}: ${error}`])),
    ...errors,
  ];
  const lines = [
    ...datasets.map(datasetLine),
    `${job}: ${status}${EXIT_CODES[status] === 0 ? "" : ` (exit code ${EXIT_CODES[status]})`}, ${totals(outcome)}`,
    ...(scrub ? [`scrub of ${scrub.pool} ${scrub.state}: ${scrub.result}`] : []),
    ...warnings.map((warning) => `warning: ${warning}`),
    ...wrong.map((error) => `error: ${error}`),
  ];
  return `${lines.map(harmless).join("\n")}\n`;
}

/** The newest last. The status is in words, so that it can be searched for. */
export function historyTable(runs: readonly RunOutcome[]): string {
  if (runs.length === 0) return "no runs are remembered\n";
  const rows = runs.map((run) => {
    const good = run.datasets.filter(({ status }) => status === "ok" || status === "current").length;
    return [
      new Date(run.startedAt).toISOString().slice(0, 19).concat("Z"),
      harmless(run.job),
      run.status,
      `${good}/${run.datasets.length}`,
      formatBytes(run.bytes),
      durationOf(run.seconds),
      run.bootSeconds === undefined ? "-" : durationOf(run.bootSeconds),
      String(run.warnings.length),
      harmless(remarkOf(run)),
    ];
  });
  const head = [
    "STARTED",
    "JOB",
    "STATUS",
    "DATASETS",
    "SENT",
    "TOOK",
    "BOOT",
    "WARNINGS",
    "FIRST ERROR OR WARNING",
  ];
  const table = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const lines = table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}

function remarkOf({ errors, datasets, warnings }: RunOutcome): string {
  const error = errors[0] ?? datasets.find((dataset) => dataset.error !== undefined)?.error;
  return error ?? (warnings[0] === undefined ? "" : `warning: ${warnings[0]}`);
}

function datasetLine(dataset: DatasetOutcome): string {
  const { source, target, status, snapshots, bytes, seconds, base, destroyed } = dataset;
  const sent =
    snapshots.length === 0
      ? []
      : [
          `${count(snapshots.length, "snapshot")} ${base === undefined ? "in full" : `since ${base}`}`,
          `${formatBytes(bytes)} in ${durationOf(seconds)}`,
        ];
  const gone = destroyed.length === 0 ? [] : [`${count(destroyed.length, "old snapshot")} destroyed`];
  return `${source} -> ${target}: ${[status, ...sent, ...gone].join(", ")}`;
}

function totals({ bytes, seconds, bootSeconds, machineSeconds, datasets }: RunOutcome): string {
  // Of the transfers alone: a boot is no slow link.
  const moving = datasets.reduce((sum, dataset) => sum + dataset.seconds, 0);
  const rate = bytes > 0 && moving > 0 ? ` at ${formatBytes(bytes / moving)}/s` : "";
  return [
    `${formatBytes(bytes)} sent${rate}`,
    `took ${durationOf(seconds)}`,
    bootSeconds === undefined ? "no boot" : `boot ${durationOf(bootSeconds)}`,
    ...(machineSeconds === undefined ? [] : [`machine ${durationOf(machineSeconds)}`]),
  ].join(", ");
}

function durationOf(seconds: number): string {
  return formatDuration(seconds * 1000);
}

function count(amount: number, what: string): string {
  return `${amount} ${what}${amount === 1 ? "" : "s"}`;
}
