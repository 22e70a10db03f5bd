import { messageOf } from "../../util/errors.ts";
import { quoteWhereNeeded } from "../../util/shell.ts";
import { parentOf } from "../plan/names.ts";
import type { DatasetPlan } from "../plan/steps.ts";
import { listDatasets } from "../zfs/list.ts";
import { poolOf } from "../zfs/names.ts";
import { poolHealth } from "../zfs/pool.ts";
import { lookAgain } from "./again.ts";
import type { Context } from "./context.ts";
import { type DatasetResult, replicateDataset } from "./dataset.ts";
import { where } from "./ends.ts";
import { runHook, syncTarget } from "./finish.ts";
import { protect } from "./guard.ts";
import { type Settled, settleHolds } from "./holds.ts";
import type { Remembered } from "./options.ts";
import { type RunRecord, untried } from "./record.ts";
import { receivedOf, toRemember } from "./remember.ts";
import { retain } from "./retain.ts";
import { scrub } from "./scrub.ts";
import { type Survey, singleOf, survey } from "./survey.ts";

/** All that is done while the machine is there. @throws what ends the run as a whole. */
export async function work(context: Context, record: RunRecord): Promise<void> {
  const { options, job, ends, signal, machine, reconnect } = context;
  const [seen] = await lookAgain({ say: options.say, signal, reconnect }, () =>
    Promise.all([survey({ ends, job, allowed: options.allowed, signal }), checkHealth(context)]),
  );
  record.expect(seen.plan);
  await checkDestination(context, seen);
  for (const name of seen.plan.vanished) {
    context.warn(
      `${name} ${where(ends.target.side)} stands for no dataset of ${job.source} any more; it is left as it is`,
    );
  }
  await protectReceived(context, seen);

  const results = await replicateAll(context, seen, record);
  if (machine.isThere) {
    const unheld = await keepGoing(context, "holds", () => settleHolds(context, settledOf(results)));
    if (unheld !== undefined) record.errors.push(unheld);
    const remembered = await remember(context, results, record);
    if (remembered && job.scrubEveryMs !== undefined) record.scrub = remembered.scrub;
  }
  await finish(context, record);
}

async function checkHealth({ ends, job, signal, warn }: Context): Promise<void> {
  const { side, zfs } = ends.target;
  const pool = poolOf(job.destination);
  const health = await poolHealth(side, zfs, pool, signal);
  if (health.healthy) return;
  const words = `pool ${pool} ${where(side)} is not healthy: ${health.words}; see zpool status ${pool}`;
  if (!health.usable) throw new Error(`${words}. Nothing is sent to it`);
  warn(words);
}

/** The destination is made by the first stream; what is above it is the owner's. */
async function checkDestination({ ends, job, signal }: Context, { plan, target }: Survey): Promise<void> {
  const parent = parentOf(job.destination);
  if (parent === undefined || target.length > 0 || plan.datasets.every(({ status }) => status !== "send"))
    return;
  const { side, zfs, features } = ends.target;
  if (await listDatasets(side, zfs, parent, { recursive: false, features, signal })) return;
  const argv = ["zfs", "create", "-p", "-o", "mountpoint=none", parent];
  throw new Error(
    `${job.source} cannot be received as ${job.destination}: ${parent} does not exist ${where(side)}. Make it there: ${quoteWhereNeeded(argv)}`,
  );
}

/** An earlier run may have ended between a receive and what follows it. */
async function protectReceived(context: Context, { source, target, plan }: Survey): Promise<void> {
  const ours = new Set(source.flatMap(({ snapshots }) => snapshots.map(({ guid }) => guid)));
  const planned = new Set(plan.datasets.map((dataset) => dataset.target));
  const received = target.flatMap(({ name, snapshots }) =>
    planned.has(name) && snapshots.some(({ guid }) => ours.has(guid)) ? [name] : [],
  );
  if (received.length > 0)
    await keepGoing(context, "protection of replicas", () => protect(context, received));
}

async function replicateAll(
  context: Context,
  seen: Survey,
  record: RunRecord,
): Promise<readonly DatasetResult[]> {
  const plannedAt = context.options.clock.now();
  const results: DatasetResult[] = [];
  const missing = new Map<string, string>(seen.plan.datasets.flatMap(absent(seen)));
  let gone: string | undefined;
  for (const planned of seen.plan.datasets) {
    const { source, target } = planned;
    const parent = parentOf(target);
    const above = parent === undefined || planned.status === "refused" ? undefined : missing.get(parent);
    if (gone !== undefined || above !== undefined) {
      const why = gone ?? `${above}, which it is below, is not there`;
      record.tell(untried(source, target, why));
      continue;
    }
    const result = await replicateDataset(context, singleOf(seen, planned), plannedAt);
    results.push(result);
    if (result.target) missing.delete(target);
    record.tell(result.outcome);
    context.signal.throwIfAborted();
    tellResult(context, result);
    if (result.isMachineGone)
      gone = `the connection to ${context.job.target} was lost, and there was no other`;
  }
  return results;
}

/** Targets that are not there yet, and what will be received as them. */
function absent({ target }: Survey): (planned: DatasetPlan) => readonly [string, string][] {
  const there = new Set(target.map(({ name }) => name));
  return (planned) => (there.has(planned.target) ? [] : [[planned.target, planned.target]]);
}

function tellResult({ options, warn, ends }: Context, { outcome, source }: DatasetResult): void {
  const { error, snapshots, status } = outcome;
  if (error !== undefined) options.say(error);
  else if (snapshots.length > 0) options.say(`${outcome.source}: verified up to @${snapshots.at(-1)}`);
  else if (status === "current" && outcome.newest === undefined && source) {
    warn(
      `${source.name} ${where(ends.source.side)} has no snapshot that the job selects, so that nothing of it is sent`,
    );
  }
}

function settledOf(results: readonly DatasetResult[]): readonly Settled[] {
  return results.flatMap(({ outcome, common, source }) =>
    (outcome.status === "ok" || outcome.status === "current") && common && source
      ? [{ source: source.name, ...common.base }]
      : [],
  );
}

/** Retention and scrub, and what the next run may rely on. */
async function remember(
  context: Context,
  results: readonly DatasetResult[],
  record: RunRecord,
): Promise<{ readonly scrub: RunRecord["scrub"] } | undefined> {
  const { options, job } = context;
  const received = new Map<string, readonly string[]>();
  for (const result of results) {
    const guids = receivedOf(result, options.remembered);
    received.set(result.outcome.target, guids);
    if (result.outcome.status !== "ok" && result.outcome.status !== "current") continue;
    const destroyed = await retain(context, result, new Set(guids));
    if (destroyed.length > 0) record.tell({ ...result.outcome, destroyed });
  }
  const { scrubEveryMs } = job;
  const scrubbed =
    scrubEveryMs === undefined
      ? undefined
      : await keepGoing(context, "scrub", () => scrub(context, scrubEveryMs));
  const what: Remembered = toRemember(results, received, {
    ...{ at: options.clock.now(), earlier: options.remembered, scrubbedAt: scrubbed?.at },
  });
  await keepGoing(context, "state of the job", () => options.onRemember(what));
  return { scrub: scrubbed?.outcome };
}

/** Leaves the machine as it should be left. What fails here is an error of the run, whatever has arrived. */
async function finish(context: Context, record: RunRecord): Promise<void> {
  const { job, machine, signal, options } = context;
  if (!machine.isThere) {
    if (job.after)
      record.errors.push(
        `"after" of the job was not run on ${job.target}: there is no connection to it any more`,
      );
    return;
  }
  await complain(record, signal, () => syncTarget(context));
  const { after } = job;
  if (!after) return;
  options.say(`running "after" on ${job.target}`);
  await complain(record, signal, () => runHook(machine.side, "after", after, signal));
}

async function complain(record: RunRecord, signal: AbortSignal, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    signal.throwIfAborted();
    record.errors.push(messageOf(error));
  }
}

/** What does not put in doubt what has arrived is a warning. */
async function keepGoing<T>(
  { warn, signal }: Context,
  what: string,
  action: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await action();
  } catch (error) {
    signal.throwIfAborted();
    warn(`${what}: ${messageOf(error)}`);
    return undefined;
  }
}
