import type { ReplicateJob } from "../../config/replicate.ts";
import type { Clock } from "../../util/clock.ts";
import { deadline } from "../../util/deadline.ts";
import { LazysshError, messageOf } from "../../util/errors.ts";
import { quoteWhereNeeded } from "../../util/shell.ts";
import type { RunOutcome } from "../outcome.ts";
import type { ProgressOutput } from "../pipeline/progress.ts";
import { type End, lookAtEnd, where } from "../run/ends.ts";
import { runHook } from "../run/finish.ts";
import { runJob } from "../run/run.ts";
import { list } from "../run/survey.ts";
import { localSide } from "../ssh/local.ts";
import { plainEnv } from "../ssh/run.ts";
import { openSession, type Session } from "../ssh/session.ts";
import { failureOf } from "../zfs/explain.ts";
import { type Restoring, reverseOf } from "./reverse.ts";
import { destroyReplaced, tidyReplica } from "./tidy.ts";

export interface RestoreOptions extends Restoring {
  readonly job: ReplicateJob;
  /** A dataset that has the name of what is made is renamed first, and destroyed in the end. Else its existence is the end. */
  readonly replace: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
  readonly progress: ProgressOutput | undefined;
  readonly say: (line: string) => void;
}

/** For what has to be put in order after a restore, also after one that was interrupted. */
const TIDY_MS = 60_000;

/**
 * Brings back one snapshot of what a job has sent, as a new dataset, and leaves the replica as it was. One connection of ours is the lease
 * from the first look to the last command; the run in between has its own.
 *
 * @throws LazysshError when nothing was begun: the dataset exists, or the machine does not come.
 */
export async function restoreJob(options: RestoreOptions): Promise<RunOutcome> {
  const { job, clock, env, signal, say, to } = options;
  const startedAt = clock.now();
  const back = reverseOf(job, options);
  const here = await lookAtEnd(localSide({ clock, env: plainEnv(env) }), job.zfs, signal);
  // Where it can be told without the machine, it is.
  if (back.direction === "pull") await mustBeFree(here, options, signal);
  say(`connecting to ${job.target}, which boots it if it is not up`);
  const session = await openSession({
    ...{ ssh: job.ssh, target: job.target, clock, signal, env },
    bootTimeoutMs: job.bootTimeoutMs,
  });
  try {
    if (job.before) await runHook(session.side, "before", job.before, signal);
    const there = await lookAtEnd(session.side, job.remoteZfs, signal);
    const [replica, receiver] = back.direction === "pull" ? [there, here] : [here, there];
    if (back.direction === "push") await mustBeFree(receiver, options, signal);
    const ran = await restoreOver(options, { back, replica, receiver, session });
    const seconds = (clock.now() - startedAt) / 1_000;
    say(ran.status === "ok" ? `${to} is restored and verified` : `${to} is not restored: ${ran.status}`);
    return { ...ran, startedAt, seconds, bootSeconds: session.bootSeconds, machineSeconds: seconds };
  } finally {
    await session.close();
  }
}

interface Ways {
  readonly back: ReplicateJob;
  readonly replica: End;
  readonly receiver: End;
  readonly session: Session;
}

async function restoreOver(
  options: RestoreOptions,
  { back, replica, receiver, session }: Ways,
): Promise<RunOutcome> {
  const { job, to, clock, env, signal, progress, say, replace } = options;
  const aside = replace ? await putAside(receiver, options) : undefined;
  const ran = judged(
    await runJob({
      ...{ job: back, clock, env, signal, progress, say },
      allowed: { rollback: false, destroyTarget: false },
      remembered: undefined,
      onRemember: () => Promise.resolve(),
    }),
    options,
  );
  using limit = deadline(clock, TIDY_MS, () => new Error("it took longer than a minute"));
  const warnings = [...ran.warnings];
  const trying = async (what: string, how: () => Promise<unknown>) => {
    await how().catch((error: unknown) => warnings.push(`${what}: ${messageOf(error)}`));
  };
  await trying("making it writable", () => makeWritable(receiver, ran, limit.signal));
  await trying("holds and bookmarks on the replica", async () => {
    warnings.push(...(await tidyReplica(replica, back, limit.signal)));
  });
  if (aside !== undefined) {
    await trying("what was replaced", () =>
      ran.status === "ok"
        ? destroyReplaced(receiver, { dataset: aside, job: job.name }, limit.signal)
        : putBack(receiver, aside, to, limit.signal),
    );
  }
  const errors = [...ran.errors];
  if (job.after) {
    const { after } = job;
    await runHook(session.side, "after", after, limit.signal).catch((error: unknown) =>
      errors.push(messageOf(error)),
    );
  }
  const status = ran.status === "ok" && errors.length > 0 ? "partial" : ran.status;
  return { ...ran, job: job.name, status, errors, warnings };
}

/** A run that had nothing to send is a success, a restore that has brought nothing is none. */
function judged(ran: RunOutcome, { job, snapshot }: RestoreOptions): RunOutcome {
  const root = ran.datasets.find(({ source }) => source === job.destination);
  if (!root || root.snapshots.length > 0 || (root.status !== "ok" && root.status !== "current")) return ran;
  const what = snapshot === undefined ? "no snapshot that the job sends" : `no snapshot "${snapshot}"`;
  return {
    ...ran,
    status: "failed",
    errors: [...ran.errors, `${job.destination} has ${what}; see zfs list -t snapshot ${job.destination}`],
  };
}

async function mustBeFree(
  receiver: End,
  { to, replace }: RestoreOptions,
  signal: AbortSignal,
): Promise<void> {
  if (replace || (await list(receiver, to, false, signal)).length === 0) return;
  throw new LazysshError(
    "ZFS_FAILED",
    `${to} exists ${where(receiver.side)}, and nothing is restored over it: name another dataset (--to), or rename it (zfs rename), or say --yes-destroy-target to have it destroyed once what was restored is verified`,
  );
}

/** Undefined when there is nothing to be put aside. */
async function putAside(
  receiver: End,
  { to, clock, signal, say }: RestoreOptions,
): Promise<string | undefined> {
  const { side, zfs } = receiver;
  if ((await list(receiver, to, false, signal)).length === 0) return undefined;
  const stamp = new Date(clock.now()).toISOString().replace(/\D/g, "").slice(0, 14);
  const aside = `${to}-replaced-${stamp}`;
  const argv = [zfs, "rename", to, aside];
  const ran = await side.run(argv, { signal });
  if (ran.status !== 0) throw failureOf(ran, { side, zfs, doing: quoteWhereNeeded(argv), dataset: to });
  say(`${to} is ${aside} now, until what was restored is verified`);
  return aside;
}

async function putBack(receiver: End, aside: string, to: string, signal: AbortSignal): Promise<void> {
  const { side, zfs } = receiver;
  const argv = [zfs, "rename", aside, to];
  if ((await list(receiver, to, false, signal)).length > 0) {
    throw new Error(
      `a part of ${to} was restored, so that what was there is still ${aside}. To have it back, destroy that part and run: ${quoteWhereNeeded(argv)}`,
    );
  }
  const ran = await side.run(argv, { signal });
  if (ran.status !== 0) throw failureOf(ran, { side, zfs, doing: quoteWhereNeeded(argv), dataset: aside });
}

/** It was received as a replica, which nobody can write to; that ends when it is verified. It stays unmounted, also at an import. */
async function makeWritable(
  { side, zfs }: End,
  { datasets }: RunOutcome,
  signal: AbortSignal,
): Promise<void> {
  for (const { target, status, snapshots } of datasets) {
    if (status !== "ok" || snapshots.length === 0) continue;
    const argv = [zfs, "inherit", "readonly", target];
    const ran = await side.run(argv, { signal });
    if (ran.status !== 0) throw failureOf(ran, { side, zfs, doing: quoteWhereNeeded(argv), dataset: target });
  }
}
