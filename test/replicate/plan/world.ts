import fc from "fast-check";
import { type PlanOptions, plan } from "../../../src/replicate/plan/plan.ts";
import type { Allowed, Plan } from "../../../src/replicate/plan/steps.ts";
import { apply, interrupt, type SimDataset, SimPool } from "./simulator.ts";

export const nothingAllowed: Allowed = { rollback: false, destroyTarget: false };

/** One thing that happens; the numbers choose where and which, by remainder. */
export interface Happening {
  readonly what: (typeof happenings)[number];
  readonly where: number;
  readonly which: number;
}

/** What a source does that is well looked after: nothing of it may end in a refusal. */
export const benign = [
  "snapshot",
  "snapshot",
  "snapshot",
  "snapshot",
  "rename",
  "run",
  "run",
  "cut",
  "cut",
  "prune",
  "child",
] as const;

const happenings = [
  ...benign,
  ...benign,
  "destroy",
  "bookmark",
  "reuse",
  "lose",
  "rename dataset",
  "destroy dataset",
  "foreign",
  "write",
  "prune target",
  "rename there",
  "empty target",
  "target child",
] as const;

export function history(of: readonly Happening["what"][] = happenings): fc.Arbitrary<readonly Happening[]> {
  return fc.array(
    fc.record({
      what: fc.constantFrom(...of),
      where: fc.nat({ max: 1000 }),
      which: fc.nat({ max: 1000 }),
    }),
    { minLength: 12, maxLength: 70, size: "max" },
  );
}

/** Both sides, and a job between them. */
export class World {
  readonly source = new SimPool(100n);
  readonly target = new SimPool(5000n);
  #guid = 0;

  readonly options: Omit<PlanOptions, "source" | "target">;

  constructor(options: Omit<PlanOptions, "source" | "target">) {
    this.options = options;
    this.source.create("tank");
    this.source.create("tank/a");
    this.source.create("tank/a/v", "volume");
    this.target.create("backup");
    for (const where of [0, 0, 1, 1]) this.happen({ what: "snapshot", where, which: where });
  }

  plan(): Plan {
    return plan({
      ...this.options,
      source: this.source.list().filter(({ name }) => name.startsWith("tank")),
      target: this.target.list().filter(({ name }) => name.startsWith("backup/tank")),
    });
  }

  /** All of the plan, or all of what comes before the step with the number `cut`, and half of that. */
  run(planned: Plan, cut = Infinity): void {
    let left = cut;
    for (const { steps } of planned.datasets) {
      for (const step of steps) {
        if (left === 0) {
          if (this.options.features.target.resume) interrupt(step, this.source, this.target);
          return;
        }
        apply(step, this.source, this.target);
        left -= 1;
      }
    }
  }

  happen({ what, where, which }: Happening): void {
    const from = pick([...this.source.datasets.values()], where);
    const to = pick([...this.target.datasets.values()].slice(1), where);
    const name = `${pick(["hourly", "daily", "frequent"], which)}-${this.#guid}`;
    if (what === "run") this.run(this.plan());
    else if (what === "cut") this.run(this.plan(), which % 4);
    else if (what === "child") this.#child(where, which);
    else if (what === "empty target") this.#createThere("backup/tank");
    else if (what === "target child") this.#createThere(`backup/tank/c${which % 5}`);
    else if (what === "foreign" || what === "write" || what === "prune target" || what === "rename there") {
      if (to && !to.partial) this.#there(what, to, which, name);
    } else if (from) this.#here(what, from, which, name);
  }

  #here(what: Happening["what"], from: SimDataset, which: number, name: string): void {
    const old = pick(from.snapshots, which);
    if (what === "snapshot" || what === "reuse") {
      const again = what === "reuse" ? pick(from.snapshots, which)?.name : undefined;
      // As those do that give their snapshots the names of hours: the old one goes, the new one is called like it.
      if (again !== undefined) from.snapshots.splice(which % from.snapshots.length, 1);
      this.#snapshot(this.source, from, again ?? name);
    } else if (what === "destroy" && old) {
      from.snapshots.splice(from.snapshots.indexOf(old), 1);
    } else if (what === "rename" && old) {
      // Still what the same filters select.
      from.snapshots[from.snapshots.indexOf(old)] = { ...old, name: `${old.name}.${this.#guid}` };
      this.#guid += 1;
    } else if (what === "bookmark" && old) {
      if (!from.bookmarks.some((other) => other.name === old.name)) from.bookmarks.push(old);
      from.bookmarks.sort((a, b) => Number(a.createtxg - b.createtxg));
    } else if (what === "prune") {
      // Only what is older than all that the two have in common.
      const there = this.#replicaOf(from);
      const common = from.snapshots.findLastIndex(({ guid }) => there?.has(guid));
      from.snapshots.splice(0, Math.max(0, Math.min(which % 5, common)));
    } else if (what === "lose") {
      from.snapshots.splice(0);
    } else if (what === "destroy dataset" && from.name !== "tank") {
      for (const gone of [from, ...this.source.below(from.name)]) this.source.datasets.delete(gone.name);
    } else if (what === "rename dataset" && from.name !== "tank") {
      this.#guid += 1;
      const { name: before } = from;
      for (const moved of [from, ...this.source.below(before)]) {
        this.source.datasets.delete(moved.name);
        moved.name = moved.name.replace(before, `tank/r${this.#guid}`);
        this.source.datasets.set(moved.name, moved);
      }
    }
  }

  #there(what: Happening["what"], to: SimDataset, which: number, name: string): void {
    const old = pick(to.snapshots, which);
    if (what === "foreign") this.#snapshot(this.target, to, `foreign-${name}`);
    else if (what === "write") to.written = which + 1;
    else if (what === "prune target" && old) to.snapshots.splice(to.snapshots.indexOf(old), 1);
    else if (what === "rename there" && old) {
      to.snapshots[to.snapshots.indexOf(old)] = { ...old, name: `there-${name}` };
      this.#guid += 1;
    }
  }

  #replicaOf({ name }: SimDataset): Set<string> | undefined {
    const replica = this.target.datasets.get(`backup/${name}`);
    return replica && new Set(replica.snapshots.map(({ guid }) => guid));
  }

  #child(where: number, which: number): void {
    const parent = pick(["tank", "tank/a"], where) ?? "tank";
    if (!this.source.datasets.has(parent) || this.source.datasets.has(`${parent}/c${which % 4}`)) return;
    this.source.create(`${parent}/c${which % 4}`);
  }

  #createThere(name: string): void {
    const parent = this.target.datasets.get(name.slice(0, name.lastIndexOf("/")));
    if (parent && !parent.partial && !this.target.datasets.has(name)) this.target.create(name);
  }

  #snapshot(pool: SimPool, dataset: SimDataset, name: string): void {
    this.#guid += 1;
    pool.add(dataset, name, `g${this.#guid}`, 1_700_000_000 + this.#guid * 900);
    dataset.written = 0;
  }
}

function pick<T>(all: readonly T[], which: number): T | undefined {
  return all[which % all.length];
}
