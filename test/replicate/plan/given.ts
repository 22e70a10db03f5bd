import type { Dataset, Features, Point } from "../../../src/replicate/model.ts";
import { type PlanOptions, plan } from "../../../src/replicate/plan/plan.ts";
import type { Allowed, Plan } from "../../../src/replicate/plan/steps.ts";
import { openZfs } from "../zfs/sides.ts";
import { nothingAllowed } from "./world.ts";

/** "a=1" is a snapshot called a with the GUID 1; without a GUID, the name is one. They are made in the order of the list. */
export function points(all: string, from = 100): readonly Point[] {
  return all
    .split(" ")
    .filter((text) => text !== "")
    .map((text, n) => {
      const [name = "", guid = name] = text.split("=");
      return { name, guid, createtxg: BigInt(from + n), creation: 1_700_000_000 + (from + n) * 3600 };
    });
}

export function dataset(name: string, snapshots: string, more: Partial<Dataset> = {}): Dataset {
  return {
    name,
    kind: "filesystem",
    encrypted: false,
    snapshots: points(snapshots),
    bookmarks: [],
    resumeToken: undefined,
    written: 0,
    ...more,
  };
}

export const token = (toGuid: string | undefined) => ({
  resumeToken: { token: "1-abc", toGuid, toName: `tank@${toGuid}`, bytes: 1 },
});

export interface Given {
  readonly source: readonly Dataset[];
  readonly target: readonly Dataset[];
  readonly job?: Partial<PlanOptions["job"]>;
  readonly send?: Partial<PlanOptions["job"]["send"]>;
  readonly allowed?: Partial<Allowed>;
  readonly features?: { readonly source?: Partial<Features>; readonly target?: Partial<Features> };
}

export function planned({ source, target, job, send, allowed, features }: Given): Plan {
  return plan({
    source,
    target,
    job: {
      source: "tank",
      destination: "pool/tank",
      recursive: true,
      exclude: [],
      snapshots: { include: ["*"], exclude: [] },
      send: { raw: undefined, compress: "auto", rateLimit: undefined, intermediates: true, ...send },
      ...job,
    },
    allowed: { ...nothingAllowed, ...allowed },
    features: {
      source: { ...openZfs, ...features?.source },
      target: { ...openZfs, ...features?.target },
    },
    sides: { source: "here", target: "archiver" },
  });
}
