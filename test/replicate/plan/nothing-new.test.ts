import { expect, test } from "vitest";
import { wouldSendNothing } from "../../../src/replicate/plan/nothing-new.ts";
import { dataset, points } from "./given.ts";

const job = {
  source: "tank",
  destination: "pool/tank",
  recursive: true,
  exclude: ["tank/cache"],
  snapshots: { include: ["*"], exclude: ["f*"] },
};
const both = { "pool/tank": "b", "pool/tank/x": "c" };
const tank = dataset("tank", "a b");

test.each<[string, ReturnType<typeof dataset>[], Record<string, string>, boolean]>([
  ["all is there", [tank, dataset("tank/x", "c")], both, true],
  ["only what is not selected is new", [dataset("tank", "a b f1"), dataset("tank/x", "c")], both, true],
  ["only what is excluded is new", [tank, dataset("tank/x", "c"), dataset("tank/cache", "d")], both, true],
  ["a snapshot was renamed", [dataset("tank", "a new=b"), dataset("tank/x", "c")], both, true],
  ["a dataset without snapshots was made", [tank, dataset("tank/y", "")], both, true],
  ["a dataset is gone", [tank], both, true],
  ["one has a newer snapshot", [tank, dataset("tank/x", "c d")], both, false],
  ["a dataset was made", [tank, dataset("tank/y", "e")], both, false],
  ["what is remembered is gone", [dataset("tank", "a")], both, false],
  [
    "what is remembered is left as a bookmark, and nothing is newer",
    [dataset("tank", "", { snapshots: points("a"), bookmarks: points("b", 150) })],
    both,
    true,
  ],
  ["the source lost all snapshots", [dataset("tank", "")], both, false],
  ["the source is not there", [], both, false],
  ["nothing is remembered", [tank], {}, false],
])("%s", (_, source, remembered, expected) => {
  expect(wouldSendNothing({ source, job, remembered: new Map(Object.entries(remembered)) })).toBe(expected);
});
