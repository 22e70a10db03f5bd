import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { wouldSendNothing } from "../../../src/replicate/plan/nothing-new.ts";
import { selected } from "../../../src/replicate/plan/points.ts";
import type { Plan } from "../../../src/replicate/plan/steps.ts";
import { openZfs } from "../zfs/sides.ts";
import { benign, history, nothingAllowed, World } from "./world.ts";

const filters = [
  { include: ["*"], exclude: [] },
  { include: ["*"], exclude: ["frequent*"] },
  { include: ["daily*"], exclude: [] },
];

const terms = fc.record({
  snapshots: fc.constantFrom(...filters),
  intermediates: fc.boolean(),
  recursive: fc.boolean(),
  exclude: fc.constantFrom([], ["tank/a/*"], ["tank/c1", "tank/a"]),
  bookmarks: fc.boolean(),
  resume: fc.constantFrom("both", "target", "none"),
  allowed: fc.oneof(
    fc.constant(nothingAllowed),
    fc.record({ rollback: fc.boolean(), destroyTarget: fc.boolean() }),
  ),
});

type Terms = typeof terms extends fc.Arbitrary<infer T> ? T : never;

function world({ snapshots, intermediates, recursive, exclude, bookmarks, resume, allowed }: Terms): World {
  return new World({
    job: {
      source: "tank",
      destination: "backup/tank",
      recursive,
      exclude,
      snapshots,
      send: { raw: undefined, compress: "none", rateLimit: undefined, intermediates },
    },
    allowed,
    features: {
      source: { ...openZfs, bookmarks, resume: resume === "both" },
      target: { ...openZfs, bookmarks, resume: resume !== "none" },
    },
  });
}

function guidsOnTarget(at: World): Set<string> {
  return new Set(
    at.target.list().flatMap(({ name, snapshots }) => snapshots.map(({ guid }) => `${name} ${guid}`)),
  );
}

function stepsOf(planned: Plan): Plan["datasets"][number]["steps"] {
  return planned.datasets.flatMap(({ steps }) => steps);
}

describe("the plan, after any history of both sides", () => {
  test("is taken by zfs, converges in one run, destroys nothing unasked, and proves what it refuses", () => {
    const seen = { send: 0, current: 0, empty: 0, refused: 0 };
    const kinds = new Map<string, number>();
    fc.assert(
      fc.property(terms, history(), (chosen, happenings) => {
        const at = world(chosen);
        for (const happening of happenings) at.happen(happening);
        const before = guidsOnTarget(at);
        const planned = at.plan();
        for (const { status } of planned.datasets) seen[status] += 1;
        for (const { kind } of stepsOf(planned)) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);

        for (const step of stepsOf(planned)) {
          if (step.kind === "rollback") expect(chosen.allowed.rollback).toBe(true);
          if (step.kind === "destroy") expect(chosen.allowed.destroyTarget).toBe(true);
        }
        for (const { status, refusal, steps, target } of planned.datasets) {
          expect(status === "send").toBe(steps.length > 0);
          expect(status === "refused").toBe(refusal !== undefined);
          if (!refusal) continue;
          expect(refusal.reason).toContain(target);
          expect(refusal.evidence).not.toEqual([]);
          expect(refusal.remedies).not.toEqual([]);
        }

        for (const each of planned.datasets) sendsWhatIsWanted(at, each);

        // Every step checks what zfs would check.
        at.run(planned);
        const touched = new Set(
          stepsOf(planned)
            .filter(({ kind }) => kind === "rollback" || kind === "destroy")
            .map((step) => step.target),
        );
        const after = guidsOnTarget(at);
        expect(
          [...before].filter((each) => !after.has(each) && !touched.has(each.split(" ")[0] ?? "")),
        ).toEqual([]);

        const again = at.plan();
        expect(stepsOf(again)).toEqual([]);
        for (const { source, target, status } of again.datasets) {
          const from = at.source.datasets.get(source);
          const newest = selected(from?.snapshots ?? [], chosen.snapshots).at(-1);
          // Or a newer one, of which the source only has the bookmark left.
          const asNew = [...(from?.snapshots ?? []), ...(from?.bookmarks ?? [])].filter(
            ({ createtxg }) => newest && createtxg >= newest.createtxg,
          );
          if (status === "current")
            expect(asNew.some(({ guid }) => after.has(`${target} ${guid}`))).toBe(true);
          if (status === "empty") expect(newest).toBeUndefined();
        }
        const refused = ({ datasets }: Plan) =>
          datasets.filter(({ status }) => status === "refused").map(({ source }) => source);
        expect(refused(again)).toEqual(refused(planned));
        remembersNothingNew(at, again);
      }),
      { numRuns: 700 },
    );
    // The to everything that there is.
    for (const times of Object.values(seen)) expect(times).toBeGreaterThan(50);
    expect([...kinds.keys()].sort()).toEqual([
      "destroy",
      "discard",
      "full",
      "incremental",
      "resume",
      "rollback",
    ]);
  });

  test("refuses nothing when only the source changes, and the newest common snapshot stays", () => {
    fc.assert(
      fc.property(terms, history(benign), (chosen, happenings) => {
        const at = world({ ...chosen, allowed: nothingAllowed });
        for (const happening of happenings) at.happen(happening);
        const refused = at.plan().datasets.filter(({ refusal }) => refusal);
        // But for children that came before their parent had a snapshot.
        expect(refused.filter(({ refusal }) => !refusal?.reason.includes("cannot be received as"))).toEqual(
          [],
        );
      }),
      { numRuns: 300 },
    );
  });
});

/** Nothing that is not selected, and with intermediates all that is, from the base on. */
function sendsWhatIsWanted(at: World, { source, steps }: Plan["datasets"][number]): void {
  const { snapshots = [], bookmarks = [] } = at.source.datasets.get(source) ?? {};
  const { job } = at.options;
  const sent = steps.flatMap((step) =>
    step.kind === "incremental"
      ? step.snapshots
      : step.kind === "full" || step.kind === "resume"
        ? [step.snapshot]
        : [],
  );
  const wanted = selected(snapshots, job.snapshots);
  for (const { guid } of sent) expect(wanted.some((point) => point.guid === guid)).toBe(true);
  const [first] = sent;
  if (!first) return;
  expect(sent.at(-1)?.guid).toBe(wanted.at(-1)?.guid);
  if (!job.send.intermediates) return;
  const transfer = steps.find(({ kind }) => ["full", "resume", "incremental"].includes(kind));
  const base = transfer?.kind === "incremental" ? transfer.base.guid : undefined;
  const from = [...snapshots, ...bookmarks].find(({ guid }) => guid === base);
  const expected = wanted.filter(({ createtxg }) =>
    from ? createtxg > from.createtxg : transfer?.kind === "full" || createtxg >= first.createtxg,
  );
  expect(sent.map(({ guid }) => guid)).toEqual(expected.map(({ guid }) => guid));
}

/** What a run would remember tells the next one whether it has to look. */
function remembersNothingNew(at: World, planned: Plan): void {
  const remembered = new Map<string, string>();
  for (const { source, target, status } of planned.datasets) {
    const there = new Set(at.target.datasets.get(target)?.snapshots.map(({ guid }) => guid));
    const newest = at.source.datasets.get(source)?.snapshots.findLast(({ guid }) => there.has(guid));
    if (status === "current" && newest) remembered.set(target, newest.guid);
  }
  const nothing = wouldSendNothing({ source: at.source.list(), job: at.options.job, remembered });
  // What is refused is not remembered; that the target has what the source has not is not seen from here.
  const unsure = planned.datasets.some(
    ({ source, target }) =>
      !remembered.has(target) &&
      selected(at.source.datasets.get(source)?.snapshots ?? [], at.options.job.snapshots).length > 0,
  );
  expect(nothing).toBe(!unsure);
  at.happen({ what: "snapshot", where: 0, which: 1 });
  expect(wouldSendNothing({ source: at.source.list(), job: at.options.job, remembered })).toBe(false);
}
