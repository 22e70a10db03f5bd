import type { SnapshotFilter } from "../../config/replicate.ts";
import { type Dataset, type Point, SOME_BYTES } from "../model.ts";
import { isAtOrBelow, parentOf, selects } from "./names.ts";
import { newestOf } from "./points.ts";
import type { Refusal } from "./steps.ts";

type Remedy = Refusal["remedies"][number];

/** What people call the two sides. */
export interface SideNames {
  readonly source: string;
  readonly target: string;
}

/** What a refusal needs to know of the dataset that it is about. */
export interface Case {
  readonly source: Dataset;
  readonly target: Dataset;
  readonly sides: SideNames;
  /** All datasets that are at and below the destination. */
  readonly existing: ReadonlySet<string>;
  /** The same, with those that are still to come. */
  readonly taken: ReadonlySet<string>;
}

/** The source has nothing that could be sent, the target has something: as though all had been destroyed at once. */
export function sourceLost(at: Case, filter: SnapshotFilter): Refusal {
  const { source, target } = at;
  const left = newestOf(source.snapshots);
  const why = left
    ? `the job selects none of the snapshots of ${source.name} (${source.snapshots.length})`
    : `${source.name} has no snapshot any more`;
  const todo = left
    ? `Look at "snapshots" of the job, or make a snapshot that it selects.`
    : `If ${source.name} was lost, get it back from ${target.name} (lazyssh replicate restore); if it is as it should be, make a snapshot of it.`;
  return {
    reason: `Nothing is sent to ${target.name} ${on(at.sides.target)}: ${why} ${on(at.sides.source)}, while the target has ${count(target.snapshots.length, "snapshot")}. Those stay as they are, whatever is allowed. ${todo}`,
    evidence: [...onTarget(at, newestOf(target.snapshots)), ...onSource(at, left)],
    remedies: [snapshotNow(source.name, filter)],
  };
}

/** The target dataset was there before the first send. */
export function notOurs(at: Case): Refusal {
  const { target, sides } = at;
  const isPool = parentOf(target.name) === undefined;
  const what = `${target.name} ${on(sides.target)} exists and has no snapshot, so that it was not received from ${at.source.name}; a full stream would have to replace it.`;
  const below = childrenOf(at);
  return {
    reason: isPool
      ? `${what} It is the dataset of a pool, which is always there and cannot be replaced: give the job a destination below it, such as ${target.name}/${at.source.name.split("/").at(-1)}.`
      : `${what} Rename it${below.length === 0 ? ", or destroy it" : ""}, then run the job again: it makes ${target.name} itself.${orAllow(at)}`,
    evidence: [`${sides.target}: ${target.name}`],
    remedies: isPool
      ? [onTargetRun("zfs", "list", "-r", "-t", "filesystem,volume,snapshot", target.name)]
      : replace(at),
  };
}

export function nothingInCommon(at: Case, bookmarks: boolean): Refusal {
  const { source, target, sides } = at;
  return {
    reason: `${source.name} ${on(sides.source)} and ${target.name} ${on(sides.target)} have no snapshot in common${bookmarks ? ", nor has the source a bookmark of one" : ""}, so that no increment can be made; perhaps the common ones were destroyed on one side, or one dataset was made anew. Rename ${target.name} to keep what it has, then run the job again: it sends everything anew.${orAllow(at)}`,
    evidence: [...onSource(at, newestOf(source.snapshots)), ...onTarget(at, newestOf(target.snapshots))],
    remedies: replace(at),
  };
}

/** The target has gone its own way since the newest common snapshot. */
export function diverged(at: Case, common: Point, foreign: readonly Point[]): Refusal {
  const { source, target, sides } = at;
  const base = `${target.name}@${common.name}`;
  return {
    reason: `${target.name} ${on(sides.target)} has ${count(foreign.length, "snapshot")} newer than ${base}, the newest that it has in common with ${source.name}, so that no increment can be received after ${base}. Go back to ${base}, which destroys them and all that was written since (here: --yes-rollback), or rename ${target.name} to keep them; the next run then sends everything anew.`,
    evidence: foreign.flatMap((point) => onTarget(at, point)),
    remedies: [onTargetRun("zfs", "rollback", "-r", base), ...renameAway(at)],
  };
}

/** No newer snapshot, but something was written. */
export function changed(at: Case, common: Point): Refusal {
  const { target, sides } = at;
  const base = `${target.name}@${common.name}`;
  const bytes = target.written === SOME_BYTES ? "" : `: ${target.written ?? 0} bytes were written`;
  return {
    reason: `${target.name} ${on(sides.target)} was changed since its newest snapshot, ${base}${bytes}, so that no increment can be received. Look at what has changed; then go back to ${base}, which loses it (here: --yes-rollback). "zfs set readonly=on ${target.name}" keeps it from happening again.`,
    evidence: onTarget(at, common),
    remedies: [
      ...(target.kind === "filesystem" ? [onTargetRun("zfs", "diff", base, target.name)] : []),
      onTargetRun("zfs", "rollback", base),
      ...renameAway(at),
    ],
  };
}

/** A snapshot that would arrive is called as another one that is there. */
export function nameTaken(
  at: Case,
  pairs: readonly { readonly arriving: Point; readonly there: Point }[],
): Refusal {
  const { source, target, sides } = at;
  const used = new Set([...source.snapshots, ...target.snapshots].map(({ name }) => name));
  const names = pairs.map(({ there }) => `@${there.name}`).join(", ");
  return {
    reason: `${target.name} ${on(sides.target)} has ${count(pairs.length, "snapshot")} with the same name (${names}) as, but other contents than, what ${source.name} ${on(sides.source)} would send, and zfs receives none under a name that is taken. Rename the old on the target; the GUID is what counts, so that nothing has to be sent again for it.`,
    evidence: pairs.flatMap(({ arriving, there }) => [...onSource(at, arriving), ...onTarget(at, there)]),
    remedies: pairs.map(({ there }) =>
      onTargetRun(
        "zfs",
        "rename",
        `${target.name}@${there.name}`,
        `${target.name}@${free(`${there.name}-${day(there.creation)}`, used)}`,
      ),
    ),
  };
}

export function otherKind(at: Case): Refusal {
  const { source, target, sides } = at;
  return {
    reason: `${source.name} ${on(sides.source)} is a ${source.kind}, ${target.name} ${on(sides.target)} a ${target.kind}: one cannot be received as the other. Rename ${target.name}, or choose another destination.`,
    evidence: [
      `${sides.source}: ${source.name} (${source.kind})`,
      `${sides.target}: ${target.name} (${target.kind})`,
    ],
    remedies: replace(at),
  };
}

/** Where `-w` must be used and is not there: what is encrypted is never sent decrypted unless the job says so. */
export function rawUnknown(
  source: Dataset,
  sides: SideNames,
  lacking: "source" | "target",
  asked: boolean,
): Refusal {
  const need = source.encrypted ? `${source.name} is encrypted` : "the job says raw = true";
  const way =
    source.encrypted && !asked
      ? `Only with "send { raw = false }" is it sent decrypted, and stored as the target stores things.`
      : `Take "raw = true" out of the job's "send" block${source.encrypted ? ', or set "raw = false": it is then sent decrypted' : ""}.`;
  return {
    reason: `${source.name} is not sent: ${need}, and zfs ${on(sides[lacking])} is too old for raw streams (OpenZFS 0.8 has them). Upgrade it. ${way}`,
    evidence: [`${sides.source}: ${source.name}`],
    remedies: [{ side: lacking, argv: ["zfs", "version"] }],
  };
}

/** Raw and other streams cannot be mixed: `zfs` would only say that it cannot receive. */
export function encryptionDiffers(at: Case): Refusal {
  const { source, target, sides } = at;
  const reason = source.encrypted
    ? `${source.name} ${on(sides.source)} is encrypted and would be sent raw, but ${target.name} ${on(sides.target)} is not encrypted: an earlier stream arrived there decrypted, and a raw one cannot follow it. Rename ${target.name}, then run the job again: it sends everything anew, encrypted. Or go on decrypted with "send { raw = false }".`
    : `${source.name} ${on(sides.source)} is not encrypted and the job says raw = true, but ${target.name} ${on(sides.target)} is encrypted: it cannot take blocks as they are on the source's disk. Take "raw = true" out of the job's "send" block, or rename ${target.name} and receive below a dataset that is not encrypted.`;
  return {
    reason,
    evidence: [
      `${sides.source}: ${source.name} (${source.encrypted ? "encrypted" : "not encrypted"})`,
      `${sides.target}: ${target.name} (${target.encrypted ? "encrypted" : "not encrypted"})`,
    ],
    remedies: replace(at),
  };
}

/** The parent will not be there on the target. */
export function orphan(
  source: Dataset,
  target: string,
  sides: SideNames,
  parent: { readonly source: string; readonly refusal: Refusal | undefined; readonly listed: boolean },
  filter: SnapshotFilter,
): Refusal {
  const above = parentOf(target) ?? target;
  const what = `${source.name} cannot be received as ${target} ${on(sides.target)}, since ${above} is not there`;
  if (parent.refusal) {
    return {
      ...parent.refusal,
      reason: `${what}: ${parent.source}, which would become it, is refused itself (see there).`,
    };
  }
  return {
    reason: parent.listed
      ? `${what}: ${parent.source} ${on(sides.source)}, which would become it, has no snapshot that the job selects. Make one; or, if it is never to have one, create ${above} by hand.`
      : `${what}, and ${parent.source} ${on(sides.source)}, which would become it, was not listed. Look whether you may see it.`,
    evidence: [`${sides.source}: ${parent.source}`],
    remedies: parent.listed
      ? [
          snapshotNow(parent.source, filter),
          onTargetRun("zfs", "create", "-o", "canmount=noauto", "-o", "readonly=on", above),
        ]
      : [{ side: "source", argv: ["zfs", "list", parent.source] }],
  };
}

/** The job's own source. */
export function noSource(
  source: string,
  target: string,
  sides: SideNames,
  excluded: boolean,
  exists: boolean,
): Refusal {
  return {
    reason: excluded
      ? `Nothing is sent: "exclude" of the job leaves out ${source}, which is the job's source itself. Take out the pattern that matches it.`
      : `${source} does not exist ${on(sides.source)}, or may not be seen by this user. ${exists ? `${target} ${on(sides.target)} stays as it is. ` : ""}Look at the name, and whether the pool is imported.`,
    evidence: [`${sides.source}: ${source}`],
    remedies: [{ side: "source", argv: ["zfs", "list", source] }],
  };
}

/** Datasets that are below the target, and would go with it. */
export function childrenOf({ target, existing }: Case): readonly string[] {
  return [...existing].filter((name) => name !== target.name && isAtOrBelow(name, target.name));
}

function orAllow(at: Case): string {
  const below = childrenOf(at);
  return below.length === 0
    ? " (--yes-destroy-target does it in one go, and destroys what is there.)"
    : ` It is not destroyed even with --yes-destroy-target, since ${count(below.length, "dataset")} below it would go too.`;
}

/** What makes room for a full stream. */
function replace(at: Case): readonly Remedy[] {
  const rename = renameAway(at);
  return childrenOf(at).length === 0 && parentOf(at.target.name) !== undefined
    ? [...rename, onTargetRun("zfs", "destroy", "-r", at.target.name)]
    : rename.length > 0
      ? rename
      : [onTargetRun("zfs", "list", "-r", "-t", "filesystem,volume,snapshot", at.target.name)];
}

function renameAway({ target, taken }: Case): readonly Remedy[] {
  if (parentOf(target.name) === undefined) return [];
  return [onTargetRun("zfs", "rename", target.name, free(`${target.name}-old`, taken))];
}

function snapshotNow(dataset: string, filter: SnapshotFilter): Remedy {
  const names = ["replicate-1", ...filter.include.map((pattern) => pattern.replace(/[*?]/g, "1"))];
  return {
    side: "source",
    argv: ["zfs", "snapshot", `${dataset}@${names.find((name) => selects(filter, name)) ?? "NAME"}`],
  };
}

function onTargetRun(...argv: readonly string[]): Remedy {
  return { side: "target", argv };
}

function onSource({ source, sides }: Case, point: Point | undefined): readonly string[] {
  return point ? [`${sides.source}: ${source.name}@${point.name}`] : [];
}

function onTarget({ target, sides }: Case, point: Point | undefined): readonly string[] {
  return point ? [`${sides.target}: ${target.name}@${point.name}`] : [];
}

/** "here", "on archiver". */
function on(side: string): string {
  return side === "here" ? side : side === "source" || side === "target" ? `on the ${side}` : `on ${side}`;
}

function free(name: string, taken: ReadonlySet<string>): string {
  let candidate = name;
  for (let n = 2; taken.has(candidate); n++) candidate = `${name}-${n}`;
  return candidate;
}

function day(creation: number): string {
  return new Date(creation * 1000).toISOString().slice(0, 10);
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}
