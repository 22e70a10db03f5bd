import { describe, expect, test } from "vitest";
import { SOME_BYTES } from "../../../src/replicate/model.ts";
import type { Refusal } from "../../../src/replicate/plan/steps.ts";
import { dataset, type Given, planned, points } from "./given.ts";

function refusal(given: Given, source = "tank"): Refusal {
  const found = planned(given).datasets.find((each) => each.source === source)?.refusal;
  if (!found) throw new Error(`${source} is not refused`);
  return found;
}

const remedies = (given: Given, source?: string) =>
  refusal(given, source).remedies.map(({ side, argv }) => `${side}: ${argv.join(" ")}`);

describe("who is refused is told what, on what, why, and what to do", () => {
  test("of newer snapshots on the target", () => {
    const given = { source: [dataset("tank", "a=1 b")], target: [dataset("pool/tank", "old=1 x y")] };
    expect(refusal(given)).toEqual({
      reason:
        "pool/tank on archiver has 2 snapshots newer than pool/tank@old, the newest that it has in common with tank, so that no " +
        "increment can be received after pool/tank@old. Go back to pool/tank@old, which destroys them and all that was written since " +
        "(here: --yes-rollback), or rename pool/tank to keep them; the next run then sends everything anew.",
      evidence: ["archiver: pool/tank@x", "archiver: pool/tank@y"],
      remedies: [
        { side: "target", argv: ["zfs", "rollback", "-r", "pool/tank@old"] },
        { side: "target", argv: ["zfs", "rename", "pool/tank", "pool/tank-old"] },
      ],
    });
  });

  test("of what was written on the target", () => {
    const given = { source: [dataset("tank", "a b")], target: [dataset("pool/tank", "a", { written: 512 })] };
    expect(refusal(given).reason).toMatch(
      /^pool\/tank on archiver was changed since .*@a: 512 bytes .*readonly=on/,
    );
    expect(refusal(given).evidence).toEqual(["archiver: pool/tank@a"]);
    expect(remedies(given)).toEqual([
      "target: zfs diff pool/tank@a pool/tank",
      "target: zfs rollback pool/tank@a",
      "target: zfs rename pool/tank pool/tank-old",
    ]);
    const untold = { ...given, target: [dataset("pool/tank", "a", { written: SOME_BYTES })] };
    expect(refusal(untold).reason).toContain("newest snapshot, pool/tank@a, so that no increment");
    expect(remedies(untold)).toEqual(remedies(given));
  });

  test("of nothing in common, with the newest of both", () => {
    const given = { source: [dataset("tank", "c d")], target: [dataset("pool/tank", "a b")] };
    expect(refusal(given).reason).toContain("have no snapshot in common");
    expect(refusal(given).reason).toContain("--yes-destroy-target");
    expect(refusal(given).evidence).toEqual(["here: tank@d", "archiver: pool/tank@b"]);
    expect(remedies(given)).toEqual([
      "target: zfs rename pool/tank pool/tank-old",
      "target: zfs destroy -r pool/tank",
    ]);
  });

  test("of datasets that would be destroyed too, and never with a command that does it", () => {
    const target = [dataset("pool/tank", "a"), dataset("pool/tank/x", "a"), dataset("pool/tank/x-old", "a")];
    const given = { source: [dataset("tank", "b"), dataset("tank/x", "b")], target };
    expect(refusal(given).reason).toContain(
      "not destroyed even with --yes-destroy-target, since 2 datasets below",
    );
    expect(remedies(given)).toEqual(["target: zfs rename pool/tank pool/tank-old"]);
    // The first name is taken.
    expect(remedies(given, "tank/x")[0]).toBe("target: zfs rename pool/tank/x pool/tank/x-old-2");
  });

  test("of a source that has lost its snapshots", () => {
    const given = { source: [dataset("tank", "")], target: [dataset("pool/tank", "a b")] };
    expect(refusal(given).reason).toMatch(/tank has no snapshot any more here.*whatever is allowed.*restore/);
    expect(refusal(given).evidence).toEqual(["archiver: pool/tank@b"]);
    expect(remedies(given)).toEqual(["source: zfs snapshot tank@replicate-1"]);
  });

  test("of a filter that selects nothing, with a name that it would select", () => {
    const job = { snapshots: { include: ["zfs-auto-snap_*"], exclude: ["*frequent*"] } };
    const given = { source: [dataset("tank", "a")], target: [dataset("pool/tank", "a")], job };
    expect(refusal(given).evidence).toEqual(["archiver: pool/tank@a", "here: tank@a"]);
    expect(remedies(given)).toEqual(["source: zfs snapshot tank@zfs-auto-snap_1"]);
  });

  test("of a target that was there before", () => {
    const given = { source: [dataset("tank", "a")], target: [dataset("pool/tank", "")] };
    expect(refusal(given).reason).toContain("exists and has no snapshot");
    expect(remedies(given)).toHaveLength(2);
  });

  test("of the dataset of a pool, which cannot be replaced whatever is allowed", () => {
    const given = {
      source: [dataset("tank", "a")],
      target: [dataset("pool", "")],
      job: { destination: "pool" },
      allowed: { rollback: true, destroyTarget: true },
    };
    expect(refusal(given).reason).toContain("give the job a destination below it, such as pool/tank.");
    expect(remedies(given)).toEqual(["target: zfs list -r -t filesystem,volume,snapshot pool"]);
  });

  test("of a name that is taken, as of those who call theirs by the hour", () => {
    const given = {
      source: [dataset("tank", "b=2 hour_05=3")],
      target: [dataset("pool/tank", "hour_05=1 b=2")],
    };
    expect(refusal(given).evidence).toEqual(["here: tank@hour_05", "archiver: pool/tank@hour_05"]);
    expect(remedies(given)).toEqual(["target: zfs rename pool/tank@hour_05 pool/tank@hour_05-2023-11-19"]);
  });

  test("of kinds that differ", () => {
    const given = {
      source: [dataset("tank", "a", { kind: "volume" as const })],
      target: [dataset("pool/tank", "a")],
    };
    expect(refusal(given).evidence).toEqual(["here: tank (volume)", "archiver: pool/tank (filesystem)"]);
  });

  test("of encryption that differs", () => {
    const encrypted = { encrypted: true };
    const given = { source: [dataset("tank", "a b", encrypted)], target: [dataset("pool/tank", "a")] };
    expect(refusal(given).reason).toContain('Or go on decrypted with "send { raw = false }"');
    const reverse = { source: [dataset("tank", "a b")], target: [dataset("pool/tank", "a", encrypted)] };
    expect(refusal({ ...reverse, send: { raw: true } }).reason).toContain('Take "raw = true" out');
    expect(refusal(withOldTarget(given)).evidence).toEqual(["here: tank"]);
  });

  /** An old `zfs` on the target. */
  const withOldTarget = (given: Given): Given => ({ ...given, features: { target: { raw: false } } });

  test("of a parent that will not be there", () => {
    const given = {
      source: [dataset("tank", ""), dataset("tank/x", "a"), dataset("tank/x/y", "a")],
      target: [],
    };
    expect(refusal(given, "tank/x").reason).toContain("tank here, which would become it, has no snapshot");
    expect(refusal(given, "tank/x/y").reason).toContain("tank/x, which would become it, is refused itself");
    expect(remedies(given, "tank/x")).toEqual([
      "source: zfs snapshot tank@replicate-1",
      "target: zfs create -o canmount=noauto -o readonly=on pool/tank",
    ]);
  });

  test("of a source that is not there, or is left out", () => {
    const target = [dataset("pool/tank", "a")];
    expect(refusal({ source: [], target }).reason).toContain("tank does not exist here");
    expect(refusal({ source: [dataset("tank", "a")], target, job: { exclude: ["t*"] } }).reason).toContain(
      '"exclude" of the job leaves out tank',
    );
  });

  test("of bookmarks that would go in a rollback, when it is allowed", () => {
    const target = [dataset("pool/tank", "a x", { bookmarks: points("mark", 101) })];
    const [step] =
      planned({ source: [dataset("tank", "a b")], target, allowed: { rollback: true } }).datasets[0]?.steps ??
      [];
    expect(step).toMatchObject({ kind: "rollback", destroys: ["pool/tank@x", "pool/tank#mark"] });
  });
});
