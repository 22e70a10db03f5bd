import { bookmarkArgv } from "../zfs/change.ts";
import { failureOf } from "../zfs/explain.ts";
import { heldBy, holdArgv, isHeldAlready, isNotHeld, releaseArgv } from "../zfs/holds.ts";
import { numberOf, wholeRowsOf } from "../zfs/names.ts";
import type { StreamStep } from "../zfs/send.ts";
import type { Context } from "./context.ts";
import { Trouble } from "./trouble.ts";

/** So that a command line does not become too long. */
const AT_ONCE = 200;

/**
 * Keeps what a stream is made from and what it leads to: nobody can destroy them before they are both there. They stay held when it
 * fails; the next run that succeeds lets them go.
 *
 * @returns Why they could not be kept; what is sent without that may be sent, but not called well.
 * @throws Trouble when one of them is gone already.
 */
export async function holdForStep(context: Context, step: StreamStep): Promise<string | undefined> {
  const base = step.kind === "incremental" && step.base.kind === "snapshot" ? [step.base.name] : [];
  return hold(
    context,
    [...base, step.snapshot.name].map((name) => `${step.source}@${name}`),
  );
}

async function hold(
  { ends, job, signal }: Context,
  snapshots: readonly string[],
): Promise<string | undefined> {
  const { side, zfs } = ends.source;
  const failed: string[] = [];
  for (const some of chunks(snapshots)) {
    const ran = await side.run(holdArgv(zfs, job.name, some), { signal });
    if (ran.status === 0 || isHeldAlready(ran.stderr)) continue;
    const doing = `holding ${some.join(", ")}`;
    const error = failureOf(ran, { side, zfs, doing, dataset: job.source });
    if (/dataset does not exist/.test(ran.stderr)) throw new Trouble(error.message, "replan");
    if (ran.status === 255) throw error;
    failed.push(`${error.message}; nothing keeps them from being destroyed before the next run needs them`);
  }
  return failed[0];
}

/** A source dataset that is as it should be on the target, with its newest common snapshot. */
export interface Settled {
  readonly source: string;
  readonly kind: "snapshot" | "bookmark";
  /** What stands after the "@" or the "#" on the source. */
  readonly name: string;
  readonly guid: string;
}

/**
 * Once all is verified: the newest common snapshots stay held on the source, so that there is a base for the next run, however long the
 * target is away; where there are bookmarks, each gets one as well. All other holds of the job on these datasets are released.
 *
 * @returns Why some are not held, also when `zfs` has said nothing of it.
 */
export async function settleHolds(
  context: Context,
  settled: readonly Settled[],
): Promise<string | undefined> {
  const { ends, job, signal, warn } = context;
  const { side, zfs, features } = ends.source;
  const keep = new Set(
    settled.filter(({ kind }) => kind === "snapshot").map(({ source, name }) => `${source}@${name}`),
  );
  const failed = await hold(context, [...keep]);
  if (features.bookmarks) await settleBookmarks(context, settled);

  const ran = await side.run([zfs, "get", "-Hp", "-r", "-o", "name,property,value", "userrefs", job.source], {
    signal,
  });
  if (ran.status !== 0) throw failureOf(ran, { side, zfs, doing: `looking for holds below ${job.source}` });
  const sources = new Set(settled.map(({ source }) => source));
  const held = wholeRowsOf(ran.stdout, 3).flatMap(([name = "", , value]) => {
    const [dataset = ""] = name.split("@");
    return (numberOf(value) ?? 0) > 0 && sources.has(dataset) ? [name] : [];
  });
  const others = held.filter((name) => !keep.has(name));
  const known = features.holds
    ? await heldBy(side, zfs, { job: job.name, snapshots: others, signal })
    : undefined;
  for (const some of chunks(known ?? others)) {
    const released = await side.run(releaseArgv(zfs, job.name, some), { signal });
    if (released.status === 0 || isNotHeld(released.stderr)) continue;
    warn(
      failureOf(released, { side, zfs, doing: `releasing ${some.join(", ")}`, dataset: job.source }).message,
    );
  }
  const missing = [...keep].filter((name) => !held.includes(name));
  if (failed !== undefined || missing.length === 0) return failed;
  return `zfs hold ended well, but nothing holds ${missing.join(", ")}: look at zfs holds, and run the job again`;
}

/** One for each dataset, by GUID; those of earlier runs go once the new one is there. */
async function settleBookmarks(context: Context, settled: readonly Settled[]): Promise<void> {
  const { ends, job, signal, warn } = context;
  const { side, zfs } = ends.source;
  const prefix = `lazyssh:${job.name}-`;
  const ran = await side.run([zfs, "list", "-H", "-r", "-t", "bookmark", "-o", "name", job.source], {
    signal,
  });
  if (ran.status !== 0) throw failureOf(ran, { side, zfs, doing: `listing bookmarks of ${job.source}` });
  const there = wholeRowsOf(ran.stdout, 1).flatMap(([name = ""]) => name);
  for (const { source, kind, name, guid } of settled) {
    const own = there.filter((bookmark) => bookmark.startsWith(`${source}#${prefix}`));
    const wanted = `${source}#${prefix}${guid}`;
    if (kind === "bookmark" && !own.includes(wanted)) continue;
    const commands = own
      .filter((bookmark) => bookmark !== wanted)
      .map((bookmark) => [zfs, "destroy", bookmark]);
    if (!own.includes(wanted)) commands.unshift(bookmarkArgv(zfs, source, name, `${prefix}${guid}`));
    for (const argv of commands) {
      const done = await side.run(argv, { signal });
      if (done.status === 0) continue;
      warn(
        failureOf(done, { side, zfs, doing: `keeping a bookmark of ${source}@${name}`, dataset: source })
          .message,
      );
      break;
    }
  }
}

function chunks<T>(all: readonly T[]): readonly (readonly T[])[] {
  const found: T[][] = [];
  for (let from = 0; from < all.length; from += AT_ONCE) found.push(all.slice(from, from + AT_ONCE));
  return found;
}
