import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Keep } from "../../../src/config/replicate.ts";
import type { Point } from "../../../src/replicate/model.ts";
import { labelOf } from "../../../src/replicate/plan/labels.ts";
import { retention } from "../../../src/replicate/plan/retention.ts";

const nothing: Keep = { last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
const everything = () => true;

function at(time: string, name = time): Point {
  const creation = Date.parse(`${time}Z`) / 1000;
  return { name, guid: `${name} ${time}`, createtxg: BigInt(creation), creation };
}

function keptOf(snapshots: readonly Point[], keep: Partial<Keep>): readonly string[] {
  const destroyed = new Set(
    retention({ snapshots, keep: { ...nothing, ...keep }, ours: everything, protect: new Set() }),
  );
  return snapshots.filter((point) => !destroyed.has(point)).map(({ name }) => name);
}

describe("what is kept", () => {
  const days = [
    "2026-11-22T10:00",
    "2026-11-22T20:00",
    "2026-11-23T10:00",
    "2026-11-25T09:15",
    "2026-11-25T09:45",
  ];
  const plain = days.map((day) => at(day));

  test.each<[string, Partial<Keep>, readonly number[]]>([
    ["the newest, even when nothing is asked for", {}, [4]],
    ["the last ones", { last: 3 }, [2, 3, 4]],
    ["the newest of each hour", { hourly: 2 }, [2, 4]],
    ["the newest of each day that has one, not of each that has passed", { daily: 3 }, [1, 2, 4]],
    ["the newest of each week, from Monday on", { weekly: 2 }, [1, 4]],
    ["what one account or the other asks for", { last: 2, weekly: 2 }, [1, 3, 4]],
    ["the newest of the month", { monthly: 12 }, [4]],
    ["everything, when that much is asked for", { last: 99 }, [0, 1, 2, 3, 4]],
  ])("%s", (_, keep, expected) => {
    expect(keptOf(plain, keep)).toEqual(expected.map((n) => days[n]));
  });

  test("a year's end is the year's, and its week goes over it", () => {
    const snapshots = ["2025-12-28T12:00", "2025-12-29T12:00", "2026-01-01T12:00"].map((day) => at(day));
    expect(keptOf(snapshots, { yearly: 2 })).toEqual(["2025-12-29T12:00", "2026-01-01T12:00"]);
    expect(keptOf(snapshots, { weekly: 2 })).toEqual(["2025-12-28T12:00", "2026-01-01T12:00"]);
  });

  test("of a day it is the one that is labelled for it, and where none is, the newest", () => {
    const snapshots = [
      at("2026-11-23T22:00", "zfs-auto-snap_hourly-2026-11-23-2200"),
      at("2026-11-24T00:00", "zfs-auto-snap_daily-2026-11-24-0000"),
      at("2026-11-24T23:00", "zfs-auto-snap_hourly-2026-11-24-2300"),
      at("2026-11-25T00:00", "zfs-auto-snap_daily-2026-11-25-0000"),
      at("2026-11-25T01:00", "zfs-auto-snap_hourly-2026-11-25-0100"),
      at("2026-11-25T01:15", "zfs-auto-snap_frequent-2026-11-25-0115"),
    ];
    const names = (...numbers: readonly number[]) => numbers.map((n) => snapshots[n]?.name);
    expect(keptOf(snapshots, { daily: 3 })).toEqual(names(0, 1, 3, 5));
    expect(keptOf(snapshots, { hourly: 2 })).toEqual(names(3, 4, 5));
  });

  test("only this job's are destroyed, and only they count", () => {
    const snapshots = plain.map((point, n) => (n % 2 === 0 ? point : { ...point, name: `foreign-${n}` }));
    const ours = ({ name }: Point) => !name.startsWith("foreign");
    const destroyed = retention({ snapshots, keep: { ...nothing, last: 2 }, ours, protect: new Set() });
    expect(destroyed.map(({ name }) => name)).toEqual([days[0]]);
    const guids = new Set(snapshots.filter(ours).map(({ guid }) => guid));
    expect(retention({ snapshots, keep: { ...nothing, last: 2 }, ours: guids, protect: new Set() })).toEqual(
      destroyed,
    );
  });
});

test.each([
  ["zfs-auto-snap_hourly-2026-11-25-2300", "hourly"],
  ["zfs-auto-snap_frequent-2026-11-25-23h15", "frequent"],
  ["zfs-auto-snap_daily-2026-11-25-0000U", "daily"],
  ["monthly-2026-11-01-0000", "monthly"],
  ["mine_weekly-2026-11-25", "weekly"],
  ["autosnap_2026-11-25_23:00:00_hourly", "hourly"],
  ["autosnap_2026-11-25_23:00:00_frequently", "frequent"],
  ["autosnap_2026-11-25_23:00:00_yearly", "yearly"],
  ["hourly-report", undefined],
  ["before-daily-2026-11-25-0000-work", undefined],
  ["2026-11-25", undefined],
])("%s is labelled %s", (name, label) => {
  expect(labelOf(name)).toBe(label);
});

describe("whatever is there and whatever is asked for", () => {
  const kinds = ["frequent", "hourly", "daily", "weekly", "monthly", "yearly"];
  const points = fc
    .array(
      fc.record({
        hours: fc.nat({ max: 3 * 365 * 24 }),
        label: fc.option(fc.constantFrom(...kinds), { nil: undefined }),
        ours: fc.boolean(),
        protect: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
      }),
      { maxLength: 80, size: "max" },
    )
    .map((all) =>
      all.map(({ hours, label, ours, protect }, n) => {
        const creation = 1_600_000_000 + hours * 3600;
        // In any order: clocks are set, too.
        const name = label ? `zfs-auto-snap_${label}-2026-01-01-${n}` : `s${n}`;
        return { point: { name, guid: `g${n}`, createtxg: BigInt(n), creation }, ours, protect };
      }),
    );
  const amount = fc.nat({ max: 8 });
  const keeps = fc.record({
    last: amount,
    hourly: amount,
    daily: amount,
    weekly: amount,
    monthly: amount,
    yearly: amount,
  });

  test("what is protected, the newest and what is others' stays, and no more than asked", () => {
    fc.assert(
      fc.property(points, keeps, keeps, (all, keep, more) => {
        const snapshots = all.map(({ point }) => point);
        const ours = new Set(all.flatMap((each) => (each.ours ? [each.point.guid] : [])));
        const protect = new Set(all.flatMap((each) => (each.protect ? [each.point.guid] : [])));
        const destroyed = new Set(retention({ snapshots, keep, ours, protect }));
        for (const { guid } of destroyed) expect(ours.has(guid) && !protect.has(guid)).toBe(true);

        const left = snapshots.filter((point) => !destroyed.has(point));
        const own = left.filter(({ guid }) => ours.has(guid) && !protect.has(guid));
        const asked = Object.values(keep).reduce((sum, n) => sum + n, 0);
        expect(own.length).toBeLessThanOrEqual(asked + (keep.last === 0 ? 1 : 0));
        const newest = snapshots.findLast(({ guid }) => ours.has(guid));
        if (newest) expect(left).toContain(newest);

        // Once done, nothing is left to do.
        expect(retention({ snapshots: left, keep, ours, protect })).toEqual([]);

        // Who asks for more loses nothing by it.
        const both: Keep = {
          last: keep.last + more.last,
          hourly: keep.hourly + more.hourly,
          daily: keep.daily + more.daily,
          weekly: keep.weekly + more.weekly,
          monthly: keep.monthly + more.monthly,
          yearly: keep.yearly + more.yearly,
        };
        for (const point of retention({ snapshots, keep: both, ours, protect })) {
          expect(destroyed.has(point)).toBe(true);
        }
      }),
      { numRuns: 400 },
    );
  });
});
