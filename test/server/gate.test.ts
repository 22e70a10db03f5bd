import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dropRate, gate, PROGRESS, type Progress, type Stranger, sourceOf } from "../../src/server/gate.ts";

interface Named extends Stranger {
  readonly name: string;
}

const NOW = 1_000_000;
const { SILENT, IDENTIFIED, EXCHANGED, TRYING } = PROGRESS;

const stranger = (name: string, source: string, progress: Progress, ageMs: number): Named => ({
  name,
  source,
  progress,
  since: NOW - ageMs,
});

/** What happens to a newcomer from `source` when there are as many as may be. */
const atFull = (source: string, ...strangers: Named[]): string => {
  const startups = { begin: strangers.length, rate: 100, full: strangers.length };
  const verdict = gate({ strangers: new Set(strangers), source, startups, now: NOW, random: 0.99 });
  return verdict.kind === "replace" ? verdict.victim.name : verdict.kind;
};

describe("when as many as may be have not logged in", () => {
  test.each<[string, string, string, Named[]]>([
    [
      "the oldest of those who say nothing goes, if all come from one address",
      "old",
      "a",
      [
        stranger("young", "a", SILENT, 5),
        stranger("old", "a", SILENT, 50),
        stranger("b", "a", IDENTIFIED, 90),
      ],
    ],
    [
      "one of the address with the most connections goes, though another has said less",
      "crowd",
      "c",
      [
        stranger("alone", "b", SILENT, 900),
        stranger("crowd", "a", IDENTIFIED, 4_000),
        stranger("other", "a", EXCHANGED, 100),
      ],
    ],
    [
      "the newcomer counts with its address",
      "here",
      "b",
      [stranger("there", "a", SILENT, 900), stranger("here", "b", IDENTIFIED, 10)],
    ],
    [
      "the oldest goes of the step where most are",
      "sits",
      "a",
      [
        stranger("silent", "a", SILENT, 900),
        stranger("sits", "a", EXCHANGED, 500),
        stranger("young", "a", EXCHANGED, 400),
        stranger("types", "a", TRYING, 20_000),
      ],
    ],
    [
      "who has come least far goes first where steps are as crowded",
      "silent",
      "a",
      [stranger("types", "a", TRYING, 10_000), stranger("silent", "a", SILENT, 1)],
    ],
    ["the newcomer is refused where there is nobody to drop", "refuse", "a", []],
  ])("%s", (_, expected, source, strangers) => {
    expect(atFull(source, ...strangers)).toBe(expected);
  });
});

test("the probability rises from rate percent at begin to 100 at full, as sshd has it", () => {
  const startups = { begin: 50, rate: 30, full: 200 };
  expect([0, 49, 50, 125, 199, 200, 5_000].map((n) => Math.round(dropRate(n, startups)))).toEqual([
    0, 0, 30, 65, 100, 100, 100,
  ]);
  const strangers = new Set(Array.from({ length: 50 }, (_, n) => stranger(`${n}`, "a", SILENT, 2_000 + n)));
  const verdict = (random: number) => gate({ strangers, source: "b", startups, now: NOW, random }).kind;
  expect([verdict(0.29), verdict(0.31)]).toEqual(["replace", "admit"]);
});

const strangers = fc.array(
  fc.record({
    name: fc.string(),
    source: fc.constantFrom("a", "b", "c", "d"),
    progress: fc.constantFrom<Progress>(SILENT, IDENTIFIED, EXCHANGED, TRYING),
    since: fc.integer({ min: NOW - 30_000, max: NOW }),
  }),
  { maxLength: 40 },
);

test("a burst of honest clients is let in up to full, and nobody is dropped for it", () => {
  const strangers = new Set<Named>();
  const startups = { begin: 10, rate: 30, full: 100 };
  for (let n = 0; n < 100; n++) {
    const verdict = gate({ strangers, source: "a", startups, now: NOW, random: 0 });
    expect(verdict.kind).toBe("admit");
    strangers.add(stranger(`${n}`, "a", n % 2 ? SILENT : EXCHANGED, 100));
  }
});

describe("whoever is there", () => {
  const startups = { begin: 5, rate: 30, full: 20 };
  const arrival = {
    strangers,
    source: fc.constantFrom("a", "b", "e"),
    random: fc.double({ min: 0, max: 0.999, noNaN: true }),
  };

  test("their number never grows beyond full, and nobody goes below begin", () => {
    fc.assert(
      fc.property(arrival.strangers, arrival.source, arrival.random, (list, source, random) => {
        const { kind } = gate<Stranger>({ strangers: new Set(list), source, startups, now: NOW, random });
        if (list.length >= startups.full) expect(kind).not.toBe("admit");
        if (list.length < startups.begin) expect(kind).toBe("admit");
        if (list.length < startups.full) expect(kind).not.toBe("refuse");
      }),
    );
  });

  test("who goes is of an address with the most", () => {
    fc.assert(
      fc.property(arrival.strangers, arrival.source, (list, source) => {
        const verdict = gate<Stranger>({ strangers: new Set(list), source, startups, now: NOW, random: 0 });
        if (verdict.kind !== "replace") return;
        const count = (of: string) =>
          list.filter((one) => one.source === of).length + (of === source ? 1 : 0);
        for (const one of list)
          expect(count(verdict.victim.source)).toBeGreaterThanOrEqual(count(one.source));
      }),
    );
  });
});

/** Attackers who come at a rate and sit at a step, from one address or many, and one honest client among them. */
describe.each<[string, Progress, (n: number) => string]>([
  ["say nothing", SILENT, () => "a"],
  ["say nothing, each from its own address,", SILENT, (n) => `other-${n}`],
  ["only identify themselves", IDENTIFIED, () => "a"],
  ["exchange keys and stop there", EXCHANGED, () => "a"],
  ["try to log in and stop there", TRYING, () => "a"],
  ["exchange keys and stop there, each from its own address,", EXCHANGED, (n) => `other-${n}`],
])("while 500 a second come that %s", (_, sitsAt, sourceOfNth) => {
  test("one who takes a third of a second for a step gets in", () => {
    const startups = { begin: 50, rate: 30, full: 200 };
    const there = new Map<string, Named>();
    const arrive = (one: Named): void => {
      const strangers = new Set(there.values());
      const verdict = gate({ strangers, source: one.source, startups, now: one.since, random: 0.5 });
      if (verdict.kind === "replace") there.delete(verdict.victim.name);
      expect(verdict.kind).not.toBe("refuse");
      there.set(one.name, one);
    };
    /** When the honest client has made each step, after it came at 5 s. */
    const steps = new Map<number, Progress>([
      [5_010, IDENTIFIED],
      [5_340, EXCHANGED],
      [5_670, TRYING],
    ]);
    for (let now = 0; now < 6_000; now += 2) {
      arrive({ name: `${now}`, source: sourceOfNth(now), progress: sitsAt, since: now });
      if (now === 5_000) arrive({ name: "honest", source: "a", progress: SILENT, since: now });
      const progress = steps.get(now);
      if (progress !== undefined && there.has("honest"))
        there.set("honest", { name: "honest", source: "a", progress, since: now });
    }
    expect(there.get("honest")?.progress).toBe(TRYING);
    expect(there.size).toBeLessThanOrEqual(startups.full);
  });
});

test.each([
  ["192.0.2.7", "192.0.2.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2::", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["2001:0db8:0000::1", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["::", "0:0:0:0::/64"],
  ["::ffff:192.0.2.7", "0:0:0:0::/64"],
  ["1:2:3:4:5:6:192.0.2.7", "1:2:3:4::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
])("%s counts as %s", (address, source) => {
  expect(sourceOf(address)).toBe(source);
});
