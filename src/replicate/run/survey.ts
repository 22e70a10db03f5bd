import type { ReplicateJob } from "../../config/replicate.ts";
import { type Dataset, SOME_BYTES } from "../model.ts";
import { plan } from "../plan/plan.ts";
import type { Allowed, DatasetPlan, Plan } from "../plan/steps.ts";
import { listDatasets } from "../zfs/list.ts";
import type { End, Ends } from "./ends.ts";

/** What is there on both sides, and what has to be done. */
export interface Survey {
  readonly source: readonly Dataset[];
  readonly target: readonly Dataset[];
  readonly plan: Plan;
}

export interface SurveyOptions {
  readonly ends: Ends;
  readonly job: ReplicateJob;
  readonly allowed: Allowed;
  readonly signal: AbortSignal;
}

/** Looks at both sides at once. @throws LazysshError when one cannot be listed. */
export async function survey({ ends, job, allowed, signal }: SurveyOptions): Promise<Survey> {
  const [source, target] = await Promise.all([
    list(ends.source, job.source, job.recursive, signal),
    list(ends.target, job.destination, true, signal),
  ]);
  return surveyOf({ ends, job, allowed, source, target });
}

export function surveyOf({
  ends,
  job,
  allowed,
  source,
  target,
}: Omit<SurveyOptions, "signal"> & Pick<Survey, "source" | "target">): Survey {
  const features = { source: ends.source.features, target: ends.target.features };
  const sides = { source: ends.source.side.name, target: ends.target.side.name };
  return { source, target, plan: plan({ source, target, job, allowed, features, sides }) };
}

/** One dataset of a job, alone. */
export interface Single {
  readonly source: Dataset | undefined;
  readonly target: Dataset | undefined;
  readonly plan: DatasetPlan;
}

/** Looks at one dataset again, on both sides. `modified`: it is known that the target was, though its `zfs` cannot tell. */
export async function surveyOne(
  options: SurveyOptions,
  { source, target }: Pick<DatasetPlan, "source" | "target">,
  modified: boolean,
): Promise<Single> {
  const { ends, signal } = options;
  const job = { ...options.job, source, destination: target, recursive: false };
  const [from, to] = await Promise.all([
    list(ends.source, source, false, signal),
    list(ends.target, target, true, signal),
  ]);
  const touched = modified
    ? to.map((dataset) =>
        dataset.name === target ? { ...dataset, written: dataset.written || SOME_BYTES } : dataset,
      )
    : to;
  return singleOf(surveyOf({ ...options, job, source: from, target: touched }), { source, target });
}

export function singleOf(
  { plan: { datasets }, ...sides }: Survey,
  { source, target }: Pick<DatasetPlan, "source" | "target">,
): Single {
  const planned = datasets.find((dataset) => dataset.source === source);
  if (!planned) throw new Error(`there is no plan for ${source}`);
  return {
    source: sides.source.find(({ name }) => name === source),
    target: sides.target.find(({ name }) => name === target),
    plan: planned,
  };
}

/** Empty when there is none. */
export async function list(
  { side, zfs, features }: End,
  root: string,
  recursive: boolean,
  signal: AbortSignal,
): Promise<readonly Dataset[]> {
  return (await listDatasets(side, zfs, root, { recursive, features, signal })) ?? [];
}
