import type { Point } from "../model.ts";

/** What an increment starts from: it is there on both sides, on the source perhaps as a bookmark. */
export interface Base {
  readonly kind: "snapshot" | "bookmark";
  /** On the source. */
  readonly name: string;
  /** Of the snapshot on the target, which may be called otherwise there. */
  readonly targetName: string;
  readonly guid: string;
}

/** One thing to be done for a dataset. `source` and `target` are names of datasets. */
export type Step =
  /** Goes on with an interrupted receive. */
  | {
      readonly kind: "resume";
      readonly source: string;
      readonly target: string;
      readonly token: string;
      readonly snapshot: Point;
    }
  /** Gives up what an interrupted receive has left (`recv -A`). */
  | { readonly kind: "discard"; readonly target: string; readonly reason: string }
  | { readonly kind: "full"; readonly source: string; readonly target: string; readonly snapshot: Point }
  /** `snapshots` are those that arrive by it, in order, `snapshot` the last of them. */
  | {
      readonly kind: "incremental";
      readonly source: string;
      readonly target: string;
      readonly base: Base;
      readonly snapshot: Point;
      readonly intermediates: boolean;
      readonly snapshots: readonly Point[];
    }
  /**
   * Only when allowed by hand: takes the target back to the snapshot (what stands after the "@"), with all that came after it.
   * `destroys` has the full names of newer snapshots ("@") and bookmarks ("#"); empty when only data was written.
   */
  | {
      readonly kind: "rollback";
      readonly target: string;
      readonly snapshot: string;
      readonly destroys: readonly string[];
    }
  /** Only when allowed by hand: destroys the target dataset with its snapshots. No other dataset is below it. */
  | { readonly kind: "destroy"; readonly target: string };

/** Why nothing is sent to a dataset, with what proves it and what a person could run. */
export interface Refusal {
  /** What, why, in words. */
  readonly reason: string;
  /** Full names of the snapshots that prove it, each with the side that it is on: "archiver: backup/safe@local-1". */
  readonly evidence: readonly string[];
  /** argv lists, with the side where they would have to be run. */
  readonly remedies: readonly { readonly side: "source" | "target"; readonly argv: readonly string[] }[];
}

export interface DatasetPlan {
  readonly source: string;
  readonly target: string;
  /** `current`: what is newest is there. `empty`: the source has no snapshot that is to be sent, and the target nothing either. */
  readonly status: "send" | "current" | "empty" | "refused";
  /** In order; empty unless `send`. */
  readonly steps: readonly Step[];
  readonly refusal: Refusal | undefined;
}

export interface Plan {
  /** Parents before their children. */
  readonly datasets: readonly DatasetPlan[];
  /** Datasets below the destination that no source dataset stands for. They are told of, and left alone. */
  readonly vanished: readonly string[];
}

/** What is never done unless somebody says so for this run. */
export interface Allowed {
  readonly rollback: boolean;
  readonly destroyTarget: boolean;
}
