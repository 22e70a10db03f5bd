import type { ReplicateJob } from "../../config/replicate.ts";
import type { Dataset, Features, Point } from "../model.ts";
import { parentOf } from "./names.ts";
import { type Common, inOrder, newerThan, newestCommon, selected } from "./points.ts";
import {
  type Case,
  changed,
  childrenOf,
  diverged,
  encryptionDiffers,
  nameTaken,
  nothingInCommon,
  notOurs,
  otherKind,
  rawUnknown,
  type SideNames,
  sourceLost,
} from "./refusals.ts";
import type { Allowed, Refusal, Step } from "./steps.ts";
import { judgeToken } from "./token.ts";
import { fromBase, fromNothing, fromSnapshot } from "./transfers.ts";

/** What is the same for all datasets of a plan. */
export interface Terms {
  readonly job: Pick<ReplicateJob, "snapshots" | "send">;
  readonly allowed: Allowed;
  readonly features: { readonly source: Features; readonly target: Features };
  readonly sides: SideNames;
  readonly existing: ReadonlySet<string>;
  readonly taken: ReadonlySet<string>;
}

export type Decision = readonly Step[] | "empty" | Refusal;

export function isRefusal(decision: Decision): decision is Refusal {
  return typeof decision === "object" && "reason" in decision;
}

/** What is to be done for one dataset, as though there were no others; no step at all: it is current. */
export function decide(
  source: Dataset,
  targetName: string,
  target: Dataset | undefined,
  terms: Terms,
): Decision {
  const { job, features } = terms;
  const wanted = selected(source.snapshots, job.snapshots);
  if (wanted.length === 0) {
    if (!target || target.snapshots.length === 0) return "empty";
    return sourceLost({ ...terms, source, target }, job.snapshots);
  }
  const route = { source, target: targetName, wanted, intermediates: job.send.intermediates };
  if (!target) return refuseRaw(source, terms) ?? fromNothing(route);
  const at = { ...terms, source, target };
  if (source.kind !== target.kind) return otherKind(at);

  const common = newestCommon(source, target, features.source.bookmarks);
  const token = judgeToken(target, wanted, common?.onSource, features);
  const discard: readonly Step[] =
    token?.kind === "useless" ? [{ kind: "discard", target: targetName, reason: token.reason }] : [];

  if (target.snapshots.length === 0) {
    const raw = refuseRaw(source, terms);
    if (raw) return raw;
    if (token?.kind === "resume") {
      return [resume(source, target, token), ...fromSnapshot(route, token.snapshot)];
    }
    // What an interrupted first receive has left is the dataset itself: it goes with it.
    if (discard.length > 0) return [...discard, ...fromNothing(route)];
    return mayDestroy(at, terms) ? [destroy(targetName), ...fromNothing(route)] : notOurs(at);
  }
  if (!common) {
    const raw = refuseRaw(source, terms);
    if (raw || !mayDestroy(at, terms)) return raw ?? nothingInCommon(at, features.source.bookmarks);
    return [...giveUp(target, terms), destroy(targetName), ...fromNothing(route)];
  }
  if (newerThan(wanted, common.onSource.createtxg).length === 0) return discard;
  return refuseRaw(source, terms) ?? refuseMixed(at, terms) ?? goOn(at, route, common, token, discard, terms);
}

/** From the newest common snapshot to the newest wanted one. */
function goOn(
  at: Case,
  route: Parameters<typeof fromBase>[0],
  common: Common,
  token: ReturnType<typeof judgeToken>,
  discard: readonly Step[],
  terms: Terms,
): Decision {
  const { source, target } = at;
  const { base, onSource, onTarget } = common;
  const foreign = newerThan(target.snapshots, onTarget.createtxg);
  const goBack = foreign.length > 0 || (target.written ?? 0) > 0;
  if (goBack && !terms.allowed.rollback) {
    return foreign.length > 0 ? diverged(at, onTarget, foreign) : changed(at, onTarget);
  }
  const steps: readonly Step[] = goBack
    ? [
        ...giveUp(target, terms),
        rollback(target, onTarget, foreign),
        ...fromBase(route, base, onSource.createtxg),
      ]
    : token?.kind === "resume"
      ? [resume(source, target, token), ...fromSnapshot(route, token.snapshot)]
      : [...discard, ...fromBase(route, base, onSource.createtxg)];
  const clashes = clashesOf(
    steps,
    target.snapshots.filter(({ createtxg }) => createtxg <= onTarget.createtxg),
  );
  return clashes.length > 0 ? nameTaken(at, clashes) : steps;
}

/** Raw is what the job says, and without a word the rule for what is encrypted: that is never sent decrypted by chance. */
function isRaw(source: Dataset, { job }: Terms): boolean {
  return job.send.raw ?? source.encrypted;
}

function refuseRaw(source: Dataset, terms: Terms): Refusal | undefined {
  const { features, sides, job } = terms;
  if (!isRaw(source, terms) || (features.source.raw && features.target.raw)) return undefined;
  return rawUnknown(source, sides, features.source.raw ? "target" : "source", job.send.raw === true);
}

/**
 * Decrypted streams onto an encrypted target are left to `zfs`: below an encrypted parent that is how it should be, and whether
 * the target was received raw cannot be seen from here.
 */
function refuseMixed(at: Case, terms: Terms): Refusal | undefined {
  const mixed = isRaw(at.source, terms) && at.source.encrypted !== at.target.encrypted;
  return mixed ? encryptionDiffers(at) : undefined;
}

/** Only the dataset itself, and only if it can go alone. */
function mayDestroy(at: Case, { allowed }: Terms): boolean {
  return allowed.destroyTarget && childrenOf(at).length === 0 && parentOf(at.target.name) !== undefined;
}

/** The partial receive builds on what is about to go. */
function giveUp(target: Dataset, { features }: Terms): readonly Step[] {
  if (!target.resumeToken || !features.target.resume) return [];
  return [{ kind: "discard", target: target.name, reason: "the target is about to go back" }];
}

function destroy(target: string): Step {
  return { kind: "destroy", target };
}

function resume(source: Dataset, target: Dataset, token: { token: string; snapshot: Point }): Step {
  return {
    kind: "resume",
    source: source.name,
    target: target.name,
    token: token.token,
    snapshot: token.snapshot,
  };
}

/** `zfs rollback -r` takes bookmarks along. */
function rollback(target: Dataset, to: Point, foreign: readonly Point[]): Step {
  const bookmarks = newerThan(target.bookmarks, to.createtxg);
  return {
    kind: "rollback",
    target: target.name,
    snapshot: to.name,
    destroys: [
      ...foreign.map(({ name }) => `${target.name}@${name}`),
      ...bookmarks.map(({ name }) => `${target.name}#${name}`),
    ],
  };
}

function clashesOf(
  steps: readonly Step[],
  there: readonly Point[],
): readonly { readonly arriving: Point; readonly there: Point }[] {
  const names = new Map(inOrder(there).map((point) => [point.name, point]));
  const arriving = steps.flatMap((step) =>
    step.kind === "incremental" ? step.snapshots : step.kind === "resume" ? [step.snapshot] : [],
  );
  return arriving.flatMap((point) => {
    const other = names.get(point.name);
    return other ? [{ arriving: point, there: other }] : [];
  });
}
