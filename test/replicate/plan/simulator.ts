import type { Dataset, Point } from "../../../src/replicate/model.ts";
import type { Step } from "../../../src/replicate/plan/steps.ts";

/** A dataset as the simulator keeps it: the lists are changed in place. */
export interface SimDataset {
  name: string;
  kind: Dataset["kind"];
  snapshots: Point[];
  bookmarks: Point[];
  /** What an interrupted receive has left. */
  partial: { toGuid: string; toName: string; fromGuid: string | undefined } | undefined;
  written: number;
}

/** One pool: datasets by name, and the number of its next transaction group. */
export class SimPool {
  readonly datasets = new Map<string, SimDataset>();
  txg: bigint;

  constructor(txg: bigint) {
    this.txg = txg;
  }

  create(name: string, kind: Dataset["kind"] = "filesystem"): SimDataset {
    const dataset: SimDataset = {
      name,
      kind,
      snapshots: [],
      bookmarks: [],
      partial: undefined,
      written: 0,
    };
    this.datasets.set(name, dataset);
    return dataset;
  }

  below(name: string): SimDataset[] {
    return [...this.datasets.values()].filter((dataset) => dataset.name.startsWith(`${name}/`));
  }

  add(dataset: SimDataset, name: string, guid: string, creation: number): void {
    this.txg += 3n;
    dataset.snapshots.push({ name, guid, createtxg: this.txg, creation });
  }

  list(): Dataset[] {
    return [...this.datasets.values()].map((dataset) => ({
      name: dataset.name,
      kind: dataset.kind,
      encrypted: false,
      snapshots: [...dataset.snapshots],
      bookmarks: [...dataset.bookmarks],
      resumeToken: dataset.partial && {
        token: `1-${dataset.partial.toGuid}`,
        toGuid: dataset.partial.toGuid,
        toName: dataset.partial.toName,
        bytes: 1,
      },
      written: dataset.written,
    }));
  }
}

/** Does what the step says as `zfs` would, or throws for what `zfs` would not take. */
export function apply(step: Step, source: SimPool, target: SimPool): void {
  const to = target.datasets.get(step.target);
  switch (step.kind) {
    case "full": {
      demand(!to, `${step.target} exists`);
      demandParent(step.target, target);
      const sent = theSame(source, step.source, step.snapshot);
      const made = target.create(step.target, dataset(source, step.source).kind);
      target.add(made, sent.name, sent.guid, sent.creation);
      return;
    }
    case "incremental": {
      const from = beginning(step, source);
      receive(to, from.guid, step.base.targetName);
      const last = theSame(source, step.source, step.snapshot);
      demand(from.createtxg < last.createtxg, "an increment goes forward");
      const between = dataset(source, step.source).snapshots.filter(
        ({ createtxg }) => createtxg > from.createtxg && createtxg <= last.createtxg,
      );
      const sent = step.intermediates ? between : [last];
      demand(names(sent) === names(step.snapshots), `${names(sent)} are sent, not ${names(step.snapshots)}`);
      for (const point of sent) arrive(target, to, point);
      return;
    }
    case "resume": {
      demand(to?.partial?.toGuid === step.snapshot.guid, "the token is for this snapshot");
      demand(step.token === `1-${step.snapshot.guid}`, "the token is that of the target");
      const sent = theSame(source, step.source, step.snapshot);
      const { fromGuid } = to.partial;
      const { snapshots, bookmarks } = dataset(source, step.source);
      demand(
        fromGuid === undefined || [...snapshots, ...bookmarks].some(({ guid }) => guid === fromGuid),
        "what the token builds on is on the source",
      );
      to.partial = undefined;
      if (fromGuid !== undefined) receive(to, fromGuid, undefined);
      arrive(target, to, sent);
      return;
    }
    case "discard":
      demand(to?.partial, "there is something to discard");
      to.partial = undefined;
      if (to.snapshots.length > 0) return;
      demand(target.below(step.target).length === 0, "nothing is below a partial dataset");
      target.datasets.delete(step.target);
      return;
    case "rollback": {
      const at = to?.snapshots.findIndex(({ name }) => name === step.snapshot) ?? -1;
      demand(to && at !== -1 && !to.partial, `${step.target}@${step.snapshot} can be gone back to`);
      const gone = to.snapshots.splice(at + 1);
      const said = step.destroys.map((name) => name.slice(step.target.length + 1));
      demand(said.join() === gone.map(({ name }) => name).join(), "it says what it destroys");
      to.written = 0;
      return;
    }
    case "destroy":
      demand(to && !to.partial && target.below(step.target).length === 0, `${step.target} can go alone`);
      target.datasets.delete(step.target);
  }
}

/** As `apply`, but the link breaks: the first snapshot of the step has come in part. */
export function interrupt(step: Step, source: SimPool, target: SimPool): void {
  if (step.kind === "full") {
    demandParent(step.target, target);
    const made = target.create(step.target, dataset(source, step.source).kind);
    const { guid, name } = step.snapshot;
    made.partial = { toGuid: guid, toName: `${step.source}@${name}`, fromGuid: undefined };
  } else if (step.kind === "incremental") {
    const to = target.datasets.get(step.target);
    receive(to, step.base.guid, step.base.targetName);
    const first = step.intermediates ? step.snapshots[0] : step.snapshot;
    if (!first) throw new Error("nothing to interrupt");
    to.partial = { toGuid: first.guid, toName: `${step.source}@${first.name}`, fromGuid: step.base.guid };
  }
}

function beginning(step: Extract<Step, { kind: "incremental" }>, source: SimPool): Point {
  const { snapshots, bookmarks } = dataset(source, step.source);
  const isBookmark = step.base.kind === "bookmark";
  demand(!isBookmark || !step.intermediates, "-I does not begin with a bookmark");
  const from = (isBookmark ? bookmarks : snapshots).find(({ name }) => name === step.base.name);
  demand(from && from.guid === step.base.guid, `the base @${step.base.name} is on the source`);
  return from;
}

function receive(
  to: SimDataset | undefined,
  baseGuid: string,
  baseName: string | undefined,
): asserts to is SimDataset {
  demand(to, "the target exists");
  const newest = to.snapshots.at(-1);
  demand(newest?.guid === baseGuid, `${to.name} is at the base`);
  demand(baseName === undefined || newest.name === baseName, `the base is called ${baseName} there`);
  demand(to.written === 0, `${to.name} is unchanged`);
  demand(!to.partial, `${to.name} has no partially complete state`);
}

function arrive(target: SimPool, to: SimDataset, point: Point): void {
  demand(!to.snapshots.some(({ guid }) => guid === point.guid), `${to.name}@${point.name} was not there yet`);
  demand(!to.snapshots.some(({ name }) => name === point.name), `the name @${point.name} is free`);
  target.add(to, point.name, point.guid, point.creation);
}

function demandParent(name: string, target: SimPool): void {
  const parent = target.datasets.get(name.slice(0, name.lastIndexOf("/")));
  demand(parent && (!parent.partial || parent.snapshots.length > 0), `the parent of ${name} is there`);
}

function theSame(source: SimPool, name: string, point: Point): Point {
  const found = dataset(source, name).snapshots.find(({ guid }) => guid === point.guid);
  demand(found && found.name === point.name, `${name}@${point.name} is there`);
  return found;
}

function dataset(pool: SimPool, name: string): SimDataset {
  const found = pool.datasets.get(name);
  demand(found, `${name} exists`);
  return found;
}

function names(points: readonly Point[]): string {
  return points.map(({ name, guid }) => `@${name} (${guid})`).join(" ");
}

function demand(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(`zfs would not take it: it has to be that ${what}`);
}
