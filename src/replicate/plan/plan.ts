import type { ReplicateJob } from "../../config/replicate.ts";
import type { Dataset, Features } from "../model.ts";
import { type Decision, decide, isRefusal, type Terms } from "./dataset.ts";
import { inScope, isAtOrBelow, isExcluded, mapName, parentOf, sourceName } from "./names.ts";
import { noSource, orphan, type SideNames } from "./refusals.ts";
import type { Allowed, DatasetPlan, Plan, Refusal } from "./steps.ts";

export interface PlanOptions {
  /** All that is at and below the job's source, on its side. */
  readonly source: readonly Dataset[];
  /** All that is at and below the job's destination, on its side. */
  readonly target: readonly Dataset[];
  readonly job: Pick<ReplicateJob, "source" | "destination" | "recursive" | "exclude" | "snapshots" | "send">;
  readonly allowed: Allowed;
  readonly features: { readonly source: Features; readonly target: Features };
  /** For people. Default: "source" and "target". */
  readonly sides?: SideNames;
}

/**
 * What has to be done so that the target has what the job wants of the source: pure, from what `zfs` lists on both sides. Bases
 * are found by GUID, the order is that of `createtxg`, and names decide nothing. Nothing is destroyed that is not allowed; what
 * cannot be done is refused, dataset by dataset, with what proves it and what would help.
 */
export function plan(options: PlanOptions): Plan {
  const { source, job, sides = { source: "source", target: "target" } } = options;
  const targets = new Map(options.target.map((dataset) => [dataset.name, dataset]));
  const scope = inScope(source, job);
  const taken = new Set([
    ...targets.keys(),
    ...source.filter(({ name }) => isAtOrBelow(name, job.source)).map(({ name }) => mapName(name, job)),
  ]);
  const terms: Terms = {
    job,
    allowed: options.allowed,
    features: options.features,
    sides,
    existing: new Set(targets.keys()),
    taken,
  };

  /** Which of the targets are there once the steps are done. */
  const there = new Set(options.target.filter(isWhole).map(({ name }) => name));
  const datasets: DatasetPlan[] = [];
  if (!scope.some(({ name }) => name === job.source)) datasets.push(withoutRoot(options, sides, targets));
  const listed = new Set(scope.map(({ name }) => name));
  for (const dataset of scope) {
    const target = mapName(dataset.name, job);
    const isOrphan = dataset.name !== job.source && !there.has(parentOf(target) ?? target);
    let decision = decide(dataset, target, targets.get(target), terms);
    if (isOrphan && !targets.has(target) && decision !== "empty") {
      const parent = parentOf(dataset.name) ?? dataset.name;
      const refusal = datasets.find((other) => other.source === parent)?.refusal;
      const about = { source: parent, refusal, listed: listed.has(parent) };
      decision = orphan(dataset, target, sides, about, job.snapshots);
    }
    const planned = toPlan(dataset.name, target, decision);
    if (planned.status === "send") there.add(target);
    datasets.push(planned);
  }
  return { datasets, vanished: vanished(options, new Set(source.map(({ name }) => name))) };
}

function toPlan(source: string, target: string, decision: Decision): DatasetPlan {
  const about = { source, target, steps: [], refusal: undefined };
  if (decision === "empty") return { ...about, status: "empty" };
  if (isRefusal(decision)) return { ...about, status: "refused", refusal: decision };
  return decision.length === 0
    ? { ...about, status: "current" }
    : { ...about, status: "send", steps: decision };
}

/** What an interrupted first receive has left is no dataset that others can be received below. */
function isWhole({ snapshots, resumeToken }: Dataset): boolean {
  return snapshots.length > 0 || resumeToken === undefined;
}

function withoutRoot(
  { source, job }: PlanOptions,
  sides: SideNames,
  targets: ReadonlyMap<string, Dataset>,
): DatasetPlan {
  const excluded = source.some(({ name }) => name === job.source) && isExcluded(job.source, job);
  const refusal: Refusal = noSource(
    job.source,
    job.destination,
    sides,
    excluded,
    targets.has(job.destination),
  );
  return toPlan(job.source, job.destination, refusal);
}

/** A dataset that was renamed on the source is one of these under its old name, and is sent anew under the new one. */
function vanished({ target, job }: PlanOptions, sources: ReadonlySet<string>): readonly string[] {
  if (!job.recursive) return [];
  return target
    .map(({ name }) => name)
    .filter((name) => name !== job.destination && isAtOrBelow(name, job.destination))
    .filter((name) => !sources.has(sourceName(name, job)) && !isExcluded(sourceName(name, job), job))
    .sort();
}
