import { describe, expect, test } from "vitest";
import type { Dataset } from "../../../src/replicate/model.ts";
import { mapName } from "../../../src/replicate/plan/names.ts";
import type { DatasetPlan, Step } from "../../../src/replicate/plan/steps.ts";
import { dataset, type Given, planned, points, token } from "./given.ts";

/** The steps as somebody would write them down. */
function told(step: Step): string {
  switch (step.kind) {
    case "full":
      return `full @${step.snapshot.name}`;
    case "incremental": {
      const from = `${step.base.kind === "bookmark" ? "#" : "@"}${step.base.name}`;
      return `${step.intermediates ? "-I" : "-i"} ${from} @${step.snapshot.name}`;
    }
    case "resume":
      return `resume @${step.snapshot.name}`;
    case "discard":
      return "discard";
    case "rollback":
      return `rollback @${step.snapshot} destroys ${step.destroys.join(" ") || "nothing"}`;
    case "destroy":
      return `destroy ${step.target}`;
  }
}

const tellAll = ({ status, steps }: DatasetPlan) =>
  steps.length === 0 ? status : steps.map(told).join(", ");

/** What comes of one dataset on both sides. */
function outcome(
  source: Dataset,
  target: Dataset | undefined,
  more: Omit<Given, "source" | "target"> = {},
): string {
  return planned({ source: [source], target: target ? [target] : [], ...more })
    .datasets.map(tellAll)
    .join("; ");
}

const src = (snapshots: string, more?: Partial<Dataset>) => dataset("tank", snapshots, more);
const dst = (snapshots: string, more?: Partial<Dataset>) => dataset("pool/tank", snapshots, more);
const filtered = { job: { snapshots: { include: ["*"], exclude: ["f*"] } } };
const newestOnly = { send: { intermediates: false } };
const withBookmark = { bookmarks: points("bm=b") };

describe("one dataset", () => {
  test.each<[string, string, string]>([
    // The first time
    ["is sent from its oldest snapshot on", outcome(src("a b c"), undefined), "full @a, -I @a @c"],
    ["is sent in full when there is but one", outcome(src("a"), undefined), "full @a"],
    ["is sent as its newest only, if so wished", outcome(src("a b c"), undefined, newestOnly), "full @c"],
    ["has nothing to send without a snapshot", outcome(src(""), undefined), "empty"],
    ["has nothing to send when none is selected", outcome(src("f1"), undefined, filtered), "empty"],
    ["has nothing to send to an empty one either", outcome(src(""), dst("")), "empty"],
    // The next time
    ["goes on from the newest common snapshot", outcome(src("a b c d"), dst("a b")), "-I @b @d"],
    ["needs no -I for one", outcome(src("a b c"), dst("a b")), "-i @b @c"],
    ["goes on with the newest only, if so wished", outcome(src("a b c d"), dst("a"), newestOnly), "-i @a @d"],
    ["is current with the newest there", outcome(src("a b"), dst("a b")), "current"],
    ["is current though the target is changed", outcome(src("a"), dst("a x", { written: 9 })), "current"],
    ["finds a renamed base by its GUID", outcome(src("new=1 b=2"), dst("old=1")), "-i @new @b"],
    ["is not misled by names", outcome(src("x=1 y=2 z=3"), dst("y=1")), "refused"],
    ["may lack on the source what is old on the target", outcome(src("c d"), dst("a b c")), "-i @c @d"],
    ["does not ask for what the target has pruned", outcome(src("a b c d"), dst("c")), "-i @c @d"],
    [
      "goes by createtxg, not by the order of the list",
      outcome(src("", { snapshots: [...points("a b c")].reverse() }), dst("a")),
      "-I @a @c",
    ],
    // The filter
    [
      "leaves out what is not selected",
      outcome(src("a f1 b c f2 d"), dst("a"), filtered),
      "-i @a @b, -i @b @c, -i @c @d",
    ],
    [
      "joins what has no gap",
      outcome(src("a b c f1 d e g"), dst("a"), filtered),
      "-I @a @c, -i @c @d, -I @d @g",
    ],
    ["may go on from what is not selected", outcome(src("a f1 b"), dst("a f1"), filtered), "-i @f1 @b"],
    [
      "begins with the oldest that is selected",
      outcome(src("f1 a f2 b"), undefined, filtered),
      "full @a, -i @a @b",
    ],
    // Bookmarks
    [
      "goes on from a bookmark",
      outcome(src("", { snapshots: [...points("a", 50), ...points("c", 200)], ...withBookmark }), dst("a b")),
      "-i #bm @c",
    ],
    [
      "goes on from a bookmark one by one first",
      outcome(src("", { snapshots: points("c d e", 200), ...withBookmark }), dst("b")),
      "-i #bm @c, -I @c @e",
    ],
    ["prefers the snapshot to its bookmark", outcome(src("b c", withBookmark), dst("b")), "-i @b @c"],
    [
      "knows no bookmark where zfs has none",
      outcome(src("c", withBookmark), dst("b"), { features: { source: { bookmarks: false } } }),
      "refused",
    ],
    // Interrupted
    [
      "goes on with an interrupted receive",
      outcome(src("a b c d"), dst("a", token("b"))),
      "resume @b, -I @b @d",
    ],
    ["goes on with the first one", outcome(src("a b c"), dst("", token("a"))), "resume @a, -I @a @c"],
    ["gives up what the source has no more", outcome(src("a c"), dst("a", token("b"))), "discard, -i @a @c"],
    [
      "gives up what is not selected any more",
      outcome(src("a f1 c"), dst("a", token("f1")), filtered),
      "discard, -i @a @c",
    ],
    [
      "gives up a token that cannot be read",
      outcome(src("a b"), dst("a", token(undefined))),
      "discard, -i @a @b",
    ],
    ["gives up what the target has", outcome(src("a b"), dst("a b", token("b"))), "discard"],
    ["begins the first one anew", outcome(src("b c"), dst("", token("a"))), "discard, full @b, -i @b @c"],
    [
      "gives up what the source cannot go on with",
      outcome(src("a b"), dst("a", token("b")), { features: { source: { resume: false } } }),
      "discard, -i @a @b",
    ],
    // What is never done unasked
    ["does not go back by itself", outcome(src("a b"), dst("a x")), "refused"],
    [
      "goes back when allowed",
      outcome(src("a b"), dst("a x y"), { allowed: { rollback: true } }),
      "rollback @a destroys pool/tank@x pool/tank@y, -i @a @b",
    ],
    [
      "gives up a receive before it goes back",
      outcome(src("a b"), dst("a x", token("b")), { allowed: { rollback: true } }),
      "discard, rollback @a destroys pool/tank@x, -i @a @b",
    ],
    ["does not lose what was written", outcome(src("a b"), dst("a", { written: 512 })), "refused"],
    [
      "loses what was written when allowed",
      outcome(src("a b"), dst("a", { written: 512 }), { allowed: { rollback: true } }),
      "rollback @a destroys nothing, -i @a @b",
    ],
    [
      "does not go back for nothing",
      outcome(src("a"), dst("a x"), { allowed: { rollback: true } }),
      "current",
    ],
    ["replaces nothing by itself", outcome(src("b"), dst("a")), "refused"],
    ["is not helped by a rollback", outcome(src("b"), dst("a"), { allowed: { rollback: true } }), "refused"],
    [
      "replaces when allowed",
      outcome(src("b"), dst("a"), { allowed: { destroyTarget: true } }),
      "destroy pool/tank, full @b",
    ],
    ["does not take over what was there before", outcome(src("a"), dst("")), "refused"],
    [
      "takes it over when allowed",
      outcome(src("a"), dst(""), { allowed: { destroyTarget: true } }),
      "destroy pool/tank, full @a",
    ],
    [
      "leaves the target alone when the source lost all",
      outcome(src(""), dst("a"), { allowed: { rollback: true, destroyTarget: true } }),
      "refused",
    ],
    [
      "leaves it alone when none is selected",
      outcome(src("f1"), dst("a"), { ...filtered, allowed: { rollback: true, destroyTarget: true } }),
      "refused",
    ],
    ["is not received over another kind", outcome(src("a"), dst("a", { kind: "volume" })), "refused"],
    ["is not received under a name that is taken", outcome(src("c=3 h=4"), dst("h=1 c=3")), "refused"],
    // Encryption
    [
      "is sent raw if it is encrypted on both",
      outcome(src("a b", { encrypted: true }), dst("a", { encrypted: true })),
      "-i @a @b",
    ],
    ["is not sent raw onto what is decrypted", outcome(src("a b", { encrypted: true }), dst("a")), "refused"],
    [
      "goes on decrypted if so wished",
      outcome(src("a b", { encrypted: true }), dst("a"), { send: { raw: false } }),
      "-i @a @b",
    ],
    [
      "is not sent raw onto what is encrypted there",
      outcome(src("a b"), dst("a", { encrypted: true }), { send: { raw: true } }),
      "refused",
    ],
    [
      "may be received below an encrypted one",
      outcome(src("a b"), dst("a", { encrypted: true })),
      "-i @a @b",
    ],
    [
      "is not decrypted for an old zfs",
      outcome(src("a", { encrypted: true }), undefined, { features: { target: { raw: false } } }),
      "refused",
    ],
    [
      "is decrypted for it if so wished",
      outcome(src("a", { encrypted: true }), undefined, {
        features: { target: { raw: false } },
        send: { raw: false },
      }),
      "full @a",
    ],
    [
      "is not sent as an old zfs cannot",
      outcome(src("a"), undefined, { features: { source: { raw: false } }, send: { raw: true } }),
      "refused",
    ],
  ])("%s", (_, actual, expected) => {
    expect(actual).toBe(expected);
  });
});

describe("several datasets", () => {
  const tank = dataset("tank", "a");
  const there = dataset("pool/tank", "a");
  const tell = (given: Given) =>
    planned(given).datasets.map((each) => `${each.source} → ${each.target}: ${tellAll(each)}`);

  test("go below the destination, parents first", () => {
    const source = [
      dataset("tank/x/y", "a"),
      dataset("tank/x", "a"),
      dataset("tank/v", "a", { kind: "volume" }),
      tank,
    ];
    expect(tell({ source, target: [] })).toEqual([
      "tank → pool/tank: full @a",
      "tank/v → pool/tank/v: full @a",
      "tank/x → pool/tank/x: full @a",
      "tank/x/y → pool/tank/x/y: full @a",
    ]);
  });

  test("are one without recursion, and nothing has vanished", () => {
    const given = { source: [tank, dataset("tank/x", "a")], target: [there, dataset("pool/tank/y", "a")] };
    expect(tell({ ...given, job: { recursive: false } })).toEqual(["tank → pool/tank: current"]);
    expect(planned({ ...given, job: { recursive: false } }).vanished).toEqual([]);
  });

  test("are left out with all that is below them, by name or by glob", () => {
    const source = ["tank/x", "tank/x/y", "tank/xy", "tank/z", "tank/z/cache"].map((name) =>
      dataset(name, "a"),
    );
    const target = [there, dataset("pool/tank/x", "a"), dataset("pool/tank/x/gone", "a")];
    const given = { source: [tank, ...source], target, job: { exclude: ["tank/x", "*/cache"] } };
    expect(tell(given).slice(1)).toEqual([
      "tank/xy → pool/tank/xy: full @a",
      "tank/z → pool/tank/z: full @a",
    ]);
    expect(planned(given).vanished).toEqual([]);
  });

  test("a renamed one is sent anew, and the old is told of and left alone", () => {
    const given = {
      source: [tank, dataset("tank/new", "a"), dataset("tank/new/x", "a")],
      target: [
        there,
        dataset("pool/tank/old", "a"),
        dataset("pool/tank/old/x", "a"),
        dataset("pool/tanker", "a"),
      ],
    };
    expect(tell(given).slice(1)).toEqual([
      "tank/new → pool/tank/new: full @a",
      "tank/new/x → pool/tank/new/x: full @a",
    ]);
    expect(planned(given).vanished).toEqual(["pool/tank/old", "pool/tank/old/x"]);
  });

  test("go on beside one that is refused, and below it where it is there", () => {
    const source = [dataset("tank", "a b"), dataset("tank/x", "a b"), dataset("tank/y", "a b")];
    const target = [dataset("pool/tank", "a z"), dataset("pool/tank/x", "a")];
    expect(tell({ source, target })).toEqual([
      "tank → pool/tank: refused",
      "tank/x → pool/tank/x: -i @a @b",
      "tank/y → pool/tank/y: full @a, -i @a @b",
    ]);
  });

  test("do not go below what will not be there", () => {
    const source = [
      dataset("tank", ""),
      dataset("tank/x", "a"),
      dataset("tank/x/y", "a"),
      dataset("tank/z", ""),
    ];
    expect(tell({ source, target: [] })).toEqual([
      "tank → pool/tank: empty",
      "tank/x → pool/tank/x: refused",
      "tank/x/y → pool/tank/x/y: refused",
      "tank/z → pool/tank/z: empty",
    ]);
  });

  test("are not destroyed with the one above them, whatever is allowed", () => {
    const source = [dataset("tank", "b"), dataset("tank/x", "a b")];
    const target = [there, dataset("pool/tank/x", "a")];
    expect(tell({ source, target, allowed: { rollback: true, destroyTarget: true } })).toEqual([
      "tank → pool/tank: refused",
      "tank/x → pool/tank/x: -i @a @b",
    ]);
  });

  test("a source that is not there, or left out, is refused and not passed over", () => {
    expect(tell({ source: [], target: [there] })).toEqual(["tank → pool/tank: refused"]);
    expect(tell({ source: [tank], target: [], job: { exclude: ["tank"] } })).toEqual([
      "tank → pool/tank: refused",
    ]);
  });
});

test("the source becomes the destination itself", () => {
  const job = { source: "tank/a", destination: "pool/b/c" };
  expect(mapName("tank/a", job)).toBe("pool/b/c");
  expect(mapName("tank/a/x y:z", job)).toBe("pool/b/c/x y:z");
  expect(() => mapName("tank/ab", job)).toThrow("tank/ab is neither tank/a nor below it");
});
