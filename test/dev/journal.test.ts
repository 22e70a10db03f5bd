import { expect, test } from "vitest";
import { Journal } from "../../src/dev/journal.ts";

test("a log that is full drops calls first, and counts them all the same", () => {
  const journal = new Journal();
  journal.add({ at: 0, type: "instance.launched", instance: "i-1" });
  for (let at = 1; at <= 30_000; at += 1) journal.called("DescribeInstances", at);
  const entries = journal.entries();
  expect(entries.length).toBeLessThanOrEqual(10_000);
  expect(entries[0]).toMatchObject({ type: "instance.launched", instance: "i-1" });
  expect(entries.at(-1)).toMatchObject({ at: 30_000 });
  expect(journal.calls()).toEqual({ DescribeInstances: 30_000 });
});

test("a log that is full of other things drops the oldest of them", () => {
  const journal = new Journal();
  for (let at = 1; at <= 30_000; at += 1) journal.add({ at, type: "tags" });
  const entries = journal.entries();
  expect(entries.length).toBeGreaterThan(8000);
  expect(entries.length).toBeLessThanOrEqual(10_000);
  expect(entries.at(-1)).toMatchObject({ at: 30_000 });
});
