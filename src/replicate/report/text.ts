import { formatBytes } from "../../util/bytes.ts";
import { formatDuration } from "../../util/duration.ts";
import type { DatasetOutcome, RunOutcome } from "../outcome.ts";
import { harmless, harmlessLine } from "./harmless.ts";
import { cameThrough } from "./status.ts";

/** What a run did, for people: a line for each dataset, the sums, and at the end, where they are seen, all errors in full. */
export function toText(outcome: RunOutcome): string {
  const { datasets, scrub, warnings } = outcome;
  const lines = [
    headline(outcome),
    ...datasets.map((dataset) => `  ${datasetLine(dataset)}`),
    `  ${sums(outcome)}`,
    ...(scrub
      ? [`  scrub of ${harmlessLine(scrub.pool)}: ${scrub.state}, ${harmlessLine(scrub.result)}`]
      : []),
    ...warnings.map((text) => paragraph("warning", text)),
    ...datasets.flatMap(({ source, error }) =>
      error === undefined ? [] : [paragraph("error", `${source}: ${error}`)],
    ),
    ...outcome.errors.map((text) => paragraph("error", text)),
  ];
  return `${lines.join("\n")}\n`;
}

function headline({ job, status, datasets }: RunOutcome): string {
  const good = datasets.filter(cameThrough).length;
  if (status === "running") return `${harmlessLine(job)}: running already`;
  const all = count(datasets.length, "dataset");
  const came = good === datasets.length ? all : `${good} of ${all} came through`;
  const how = datasets.length === 0 ? "no dataset was looked at" : came;
  return `${harmlessLine(job)}: ${status}, ${how}`;
}

function datasetLine(dataset: DatasetOutcome): string {
  const { source, target, status, snapshots, base, bytes, seconds, newest, destroyed } = dataset;
  const facts: string[] = [status];
  if (snapshots.length > 0) {
    const from = base === undefined ? "in full" : `from ${base}`;
    facts.push(`${count(snapshots.length, "snapshot")} ${from} to ${snapshots.at(-1)}`);
  } else if (status === "current" && newest) facts.push(`newest is ${newest.name}`);
  if (bytes > 0) facts.push(moved(bytes, seconds));
  if (destroyed.length > 0) facts.push(`${count(destroyed.length, "old one")} destroyed`);
  return harmlessLine(`${source} to ${target}: ${facts.join(", ")}`);
}

function sums({ bytes, datasets, seconds, bootSeconds, machineSeconds }: RunOutcome): string {
  const sending = datasets.reduce((sum, dataset) => sum + dataset.seconds, 0);
  return [
    bytes > 0 ? `${moved(bytes, sending)} sent` : "nothing was sent",
    ...(bootSeconds === undefined ? [] : [`boot ${duration(bootSeconds)}`]),
    machineSeconds === undefined ? "no machine was needed" : `machine time ${duration(machineSeconds)}`,
    `${duration(seconds)} in all`,
  ].join("; ");
}

/** "21.3 MiB in 4.2 s (5.1 MiB/s)"; without a rate where no time has passed. */
function moved(bytes: number, seconds: number): string {
  if (seconds <= 0) return formatBytes(bytes);
  return `${formatBytes(bytes)} in ${duration(seconds)} (${formatBytes(bytes / seconds)}/s)`;
}

function duration(seconds: number): string {
  return formatDuration(Math.max(seconds, 0) * 1_000);
}

/** The further lines are set in, so that none of them can pass for one of ours. */
function paragraph(label: string, text: string): string {
  return `${label}: ${harmless(text).trim().replaceAll("\n", "\n    ")}`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
