import { createHash } from "node:crypto";

/** What the words after `lazyssh replicate` mean. */
export type Words =
  | { readonly kind: "jobs"; readonly names: readonly string[] }
  | ({ readonly kind: "datasets" } & Ways)
  | { readonly kind: "wrong"; readonly problem: string };

export interface Ways {
  readonly direction: "push" | "pull";
  readonly target: string;
  readonly source: string;
  readonly destination: string;
}

/** `HOST:` before any "/". An address of IPv6 is in brackets, which `ssh` does not want. */
const REMOTE = /^((?:[^/:@[\]]+@)?(?:\[[^\]/]+\]|[^/:[\]]+)):(.*)$/s;

/**
 * Names of jobs, or `SRC TARGET:DST`, or `TARGET:SRC DST`. What stands before the first ":" is the machine when no "/" is before it, so that
 * a pool with ":" in its name can be given only in a file. The name of a job has neither.
 */
export function readWords(words: readonly string[]): Words {
  if (words.every((word) => !/[:/]/.test(word))) return { kind: "jobs", names: words };
  const [first = "", second] = words;
  if (second === undefined) return wrong(`"${first}" is one of two: give SRC TARGET:DST, or TARGET:SRC DST`);
  if (words.length > 2)
    return wrong(
      `two datasets are needed, SRC TARGET:DST or TARGET:SRC DST, and here are ${words.length} words`,
    );
  const [from, to] = [remote(first), remote(second)];
  if (from && to)
    return wrong(`${first} and ${second} are both on another machine: one of them has to be here`);
  if (from)
    return {
      kind: "datasets",
      direction: "pull",
      target: from.host,
      source: from.dataset,
      destination: second,
    };
  if (to)
    return { kind: "datasets", direction: "push", target: to.host, source: first, destination: to.dataset };
  return wrong(
    `neither ${first} nor ${second} names the machine: write it before the dataset, as in TARGET:DST`,
  );
}

function remote(word: string): { host: string; dataset: string } | undefined {
  const [, host, dataset] = REMOTE.exec(word) ?? [];
  return host === undefined || dataset === undefined
    ? undefined
    : { host: host.replace(/\[([^\]]+)\]$/, "$1"), dataset };
}

function wrong(problem: string): Words {
  return { kind: "wrong", problem };
}

/** The same for the same way, whatever else is said of it: locks and holds go by it. */
export function nameOfWays({ source, target, destination }: Ways): string {
  const digest = createHash("sha256")
    .update([source, target, destination].join("\0"))
    .digest("hex")
    .slice(0, 8);
  const slug = `${source}-${target}`
    .replace(/[^\w.-]+/g, "-")
    .replace(/^[^\w]+/, "")
    .slice(0, 50);
  return `${slug}-${digest}`;
}
