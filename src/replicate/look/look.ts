import type { ReplicateJob } from "../../config/replicate.ts";
import type { Clock } from "../../util/clock.ts";
import { deadline } from "../../util/deadline.ts";
import { LazysshError } from "../../util/errors.ts";
import type { Dataset } from "../model.ts";
import { inScope, mapName, sourceName } from "../plan/names.ts";
import { newestOf, selected } from "../plan/points.ts";
import { lookAtEnd } from "../run/ends.ts";
import { runHook } from "../run/finish.ts";
import { list } from "../run/survey.ts";
import { localSide } from "../ssh/local.ts";
import { plainEnv } from "../ssh/run.ts";
import { openSession } from "../ssh/session.ts";

export interface LookOptions {
  readonly job: ReplicateJob;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
  /** GUIDs of what earlier runs have verified on the receiving side, by target dataset. */
  readonly received: ReadonlyMap<string, readonly string[]> | undefined;
  readonly say: (line: string) => void;
}

/**
 * When the newest snapshot was made, in seconds since the epoch, that each source dataset has on the receiving side, by its GUID. The machine
 * is asked only when it is the one that receives; it is booted for that, and let go at once. Nothing is sent or changed, but `before` and
 * `after` of the job are run, as without them there may be no pool.
 *
 * @throws what kept it from being told.
 */
export async function lookForNewest(options: LookOptions): Promise<ReadonlyMap<string, number | undefined>> {
  const { job, clock, env, signal } = options;
  using limit = deadline(
    clock,
    job.timeoutMs,
    () => new LazysshError("ZFS_FAILED", "it took longer than the timeout of the job"),
    signal,
  );
  const here = localSide({ clock, env: plainEnv(env) });
  const own = await lookAtEnd(here, job.zfs, limit.signal);
  if (job.direction === "pull") {
    return ofReceived(await list(own, job.destination, job.recursive, limit.signal), options);
  }
  const source = await list(own, job.source, job.recursive, limit.signal);
  if (source.length === 0)
    throw new LazysshError("ZFS_FAILED", `the source ${job.source} does not exist here`);
  const target = await onMachine(options, limit.signal);
  return ofBoth(source, target, options);
}

async function onMachine(
  { job, clock, env, say }: LookOptions,
  signal: AbortSignal,
): Promise<readonly Dataset[]> {
  say(`connecting to ${job.target}, which boots it if it is not up`);
  const session = await openSession({
    ...{ ssh: job.ssh, target: job.target, clock, signal, env },
    bootTimeoutMs: job.bootTimeoutMs,
  });
  try {
    const { side } = session;
    if (job.before) await runHook(side, "before", job.before, signal);
    const end = await lookAtEnd(side, job.remoteZfs, signal);
    const found = await list(end, job.destination, true, signal);
    if (job.after) await runHook(side, "after", job.after, signal);
    return found;
  } finally {
    await session.close();
  }
}

function ofBoth(
  source: readonly Dataset[],
  target: readonly Dataset[],
  { job, received }: LookOptions,
): ReadonlyMap<string, number | undefined> {
  const there = new Map(target.map((dataset) => [dataset.name, dataset]));
  // One without anything to be sent is not behind.
  const expected = inScope(source, job).filter(
    ({ name, snapshots }) => selected(snapshots, job.snapshots).length > 0 || there.has(mapName(name, job)),
  );
  return new Map(
    expected.map(({ name, snapshots, bookmarks }) => {
      const targetName = mapName(name, job);
      const ours = new Set([...snapshots, ...bookmarks].map(({ guid }) => guid));
      for (const guid of received?.get(targetName) ?? []) ours.add(guid);
      const arrived = there.get(targetName)?.snapshots.filter(({ guid }) => ours.has(guid));
      return [name, newestOf(arrived ?? [])?.creation] as const;
    }),
  );
}

/** Without its source: what the job has verified, or else what has the names that it sends. */
function ofReceived(
  target: readonly Dataset[],
  { job, received }: LookOptions,
): ReadonlyMap<string, number | undefined> {
  return new Map(
    target.map(({ name, snapshots }) => {
      const known = received?.get(name);
      const ours = known
        ? snapshots.filter(({ guid }) => known.includes(guid))
        : selected(snapshots, job.snapshots);
      return [sourceName(name, job), newestOf(ours)?.creation] as const;
    }),
  );
}
