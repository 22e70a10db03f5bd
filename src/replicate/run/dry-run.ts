import { formatBytes } from "../../util/bytes.ts";
import { formatDuration } from "../../util/duration.ts";
import { quoteWhereNeeded } from "../../util/shell.ts";
import type { Dataset } from "../model.ts";
import { inScope, mapName } from "../plan/names.ts";
import type { Step } from "../plan/steps.ts";
import { localSide } from "../ssh/local.ts";
import { plainEnv } from "../ssh/run.ts";
import { remoteSide } from "../ssh/session.ts";
import { destroyArgv, discardArgv, rollbackArgv } from "../zfs/change.ts";
import { holdArgv } from "../zfs/holds.ts";
import { type Ends, lookAtEnd, sidesOf } from "./ends.ts";
import type { Remembered, RunOptions } from "./options.ts";
import { isPacked, programsOf, type Route } from "./stages.ts";
import { estimateOf } from "./steps.ts";
import { list, type Survey, surveyOf } from "./survey.ts";
import { refusalWords } from "./words.ts";

export interface DryRun {
  /** What would be done, for people. */
  readonly lines: readonly string[];
  /** Of all streams; undefined where the source's `zfs` cannot tell. */
  readonly bytes: number | undefined;
}

export type DryRunOptions = Pick<RunOptions, "job" | "allowed" | "clock" | "signal" | "env" | "remembered">;

/**
 * What a run would do, without doing any of it: only this side is looked at, no machine is started, and nothing is changed. What is on
 * the other side is taken from what the last verified run has left; its `zfs` is taken to be like the one here.
 *
 * @throws LazysshError when this side cannot be looked at.
 */
export async function dryRun(options: DryRunOptions): Promise<DryRun> {
  const { job, clock, env, signal, allowed } = options;
  const here = localSide({ clock, env: plainEnv(env) });
  const there = remoteSide({
    ...{ ssh: job.ssh, target: job.target, clock, env },
    extra: {},
    socket: undefined,
  });
  const sides = sidesOf(job, here, there);
  if (job.direction === "pull") {
    return {
      lines: [
        `${job.source} is on ${job.target}, which is not started for this: what would be sent cannot be told.`,
        `It would be received here as ${job.destination}; the source would be listed by:`,
        `  ${quoteWhereNeeded(there.command([job.remoteZfs, "get", "-Hp", "-r", "guid,createtxg,creation", job.source]))}`,
      ],
      bytes: undefined,
    };
  }
  const own = await lookAtEnd(sides.source.side, sides.source.zfs, signal);
  const ends: Ends = { source: own, target: { ...own, ...sides.target } };
  const source = await list(own, job.source, job.recursive, signal);
  const seen = surveyOf({ ends, job, allowed, source, target: rememberedTarget(options, source) });
  const estimateFor = async (step: Step) => {
    const about = "source" in step && source.find((dataset) => dataset.name === step.source);
    return about ? estimateOf({ ends, job, signal }, step, about) : undefined;
  };
  const lines = [assumption(options)];
  let bytes: number | undefined = own.features.estimate ? 0 : undefined;
  for (const { source: name, target, status, steps, refusal } of seen.plan.datasets) {
    const to = `${name} → ${target} on ${job.target}`;
    if (refusal) lines.push(`${to}: refused. ${refusalWords(refusal, { source: here, target: there })}`);
    if (status === "current") lines.push(`${to}: nothing is new`);
    if (status === "empty") lines.push(`${to}: there is no snapshot that the job selects`);
    if (status !== "send") continue;
    lines.push(`${to}:`);
    const dataset = source.find((one) => one.name === name);
    const packed = dataset !== undefined && (await isPacked({ ends, job, dataset }, name, signal));
    for (const step of steps) {
      const size = await estimateFor(step);
      if (size !== undefined) bytes = (bytes ?? 0) + size;
      lines.push(...commandsOf({ ends, job, packed }, step, seen).map((line) => `  ${line}`));
      if (size !== undefined) lines.push(`  # about ${formatBytes(size)}`);
    }
  }
  lines.push(sum(seen, bytes, job.target));
  return { lines, bytes };
}

function assumption({ job, remembered, clock }: DryRunOptions): string {
  if (!remembered) {
    return `${job.target} is not started for this, and no verified run is remembered: it is taken to have nothing, so that this is a full send of everything.`;
  }
  const age = formatDuration(Math.max(clock.now() - remembered.at, 0));
  return `${job.target} is not started for this: what it has is what the last verified run has left, ${age} ago.`;
}

function sum({ plan }: Survey, bytes: number | undefined, target: string): string {
  if (plan.datasets.every(({ status }) => status !== "send")) return `Nothing would be sent to ${target}.`;
  return bytes === undefined
    ? "How much that is cannot be told: zfs here has no estimates."
    : `About ${formatBytes(bytes)} in all.`;
}

/** The commands of a step, exact but for the connection, which all of them would share. */
function commandsOf(
  { ends, job, packed }: Pick<Route, "ends" | "packed"> & Pick<DryRunOptions, "job">,
  step: Step,
  seen: Survey,
): readonly string[] {
  const { source, target } = ends;
  const there = (argv: readonly string[]) => quoteWhereNeeded(target.side.command(argv));
  switch (step.kind) {
    case "discard":
      return [there(discardArgv(target.zfs, step.target))];
    case "rollback":
      return [there(rollbackArgv(target.zfs, step.target, step.snapshot))];
    case "destroy":
      return [there(destroyArgv(target.zfs, step.target))];
    default: {
      const dataset = seen.source.find(({ name }) => name === step.source);
      if (!dataset) return [];
      const base = step.kind === "incremental" && step.base.kind === "snapshot" ? [step.base.name] : [];
      const held = [...base, step.snapshot.name].map((name) => `${step.source}@${name}`);
      const { sending, receiving } = programsOf({ ends, job, step, dataset, packed });
      const piped = (stages: typeof sending) => stages.map(({ argv }) => quoteWhereNeeded(argv)).join(" | ");
      // As a shell there would be told to: what is really run sees to all exit statuses as well.
      const over = quoteWhereNeeded([...target.side.command(["true"]).slice(0, -1), piped(receiving)]);
      return [quoteWhereNeeded(holdArgv(source.zfs, job.name, held)), `${piped(sending)} | ${over}`];
    }
  }
}

/** What the target would be, by what is remembered of it. */
function rememberedTarget(
  { job, remembered }: { readonly job: RunOptions["job"]; readonly remembered: Remembered | undefined },
  source: readonly Dataset[],
): readonly Dataset[] {
  return inScope(source, job).flatMap((dataset): readonly Dataset[] => {
    const name = mapName(dataset.name, job);
    const newest = remembered?.newest.get(name);
    if (!newest) return [];
    const createtxg = [...dataset.snapshots, ...dataset.bookmarks].find(
      ({ guid }) => guid === newest.guid,
    )?.createtxg;
    const snapshots = [{ ...newest, createtxg: createtxg ?? 0n }];
    return [{ ...dataset, name, snapshots, bookmarks: [], resumeToken: undefined, written: undefined }];
  });
}
