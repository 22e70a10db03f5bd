import { describe, expect, it } from "vitest";
import {
  type Effect,
  leftoverMachine,
  type MachineEvent,
  type MachineModel,
  newMachine,
} from "../../../src/targets/life/state.ts";
import { transition } from "../../../src/targets/life/transition.ts";
import { LazysshError } from "../../../src/util/errors.ts";
import { boom } from "./world.ts";

/** Feeds events, in order, and gives back the last model with all effects. */
function walk(events: readonly Partial<MachineEvent>[], { lingerMs = 0, from = newMachine } = {}) {
  let model: MachineModel = from;
  const effects: Effect[] = [];
  for (const event of events) {
    const step = transition(model, { at: 1_000, ...event } as MachineEvent, { lingerMs });
    model = step.model;
    effects.push(...step.effects);
  }
  return { model, effects, types: effects.map((effect) => effect.type) };
}

const toReady: Partial<MachineEvent>[] = [
  { type: "acquire", lease: 1 },
  { type: "prepared", launch: 1 },
  { type: "created", launch: 1, machine: "i-1" },
  { type: "booted", launch: 1 },
  { type: "attached", launch: 1 },
  { type: "answering", launch: 1, host: "10.0.0.1" },
];

describe("transition", () => {
  it("starts a machine for the first lease, step by step, and grants it at the end", () => {
    const { model, types } = walk(toReady);
    expect(types).toEqual(["prepare", "create", "boot", "attach", "probe", "grant", "watch"]);
    expect(model.state).toEqual({
      kind: "ready",
      launch: 1,
      machine: "i-1",
      host: "10.0.0.1",
      unfit: undefined,
    });
  });

  it("gives every lease that came during the start the same machine", () => {
    const events = [...toReady];
    events.splice(1, 0, { type: "acquire", lease: 2 });
    events.splice(4, 0, { type: "acquire", lease: 3 });
    const { effects } = walk(events);
    expect(effects.filter((effect) => effect.type === "grant").map((effect) => effect.lease)).toEqual([
      1, 2, 3,
    ]);
    expect(effects.filter((effect) => effect.type === "create")).toHaveLength(1);
  });

  it("lingers after the last lease, and takes the machine up again when somebody comes back", () => {
    const { model, types } = walk(
      [...toReady, { type: "release", lease: 1 }, { type: "acquire", lease: 2 }],
      { lingerMs: 500 },
    );
    expect(types.slice(7)).toEqual(["linger", "abort", "watch", "grant"]);
    expect(model.state.kind).toBe("ready");
  });

  it("ends a lingering machine when its time is over", () => {
    const { model, types } = walk(
      [...toReady, { type: "release", lease: 1 }, { type: "lingered", launch: 1 }],
      { lingerMs: 500 },
    );
    expect(types.slice(-2)).toEqual(["abort", "destroy"]);
    expect(model.state.kind).toBe("stopping");
  });

  it("starts a new machine, once the old one is gone, for a lease that came while it was being ended", () => {
    const { model, types } = walk([
      ...toReady,
      { type: "release", lease: 1 },
      { type: "acquire", lease: 2 },
      { type: "stopped", launch: 1 },
    ]);
    expect(types.slice(-2)).toEqual(["destroy", "prepare"]);
    expect(model.state).toEqual({ kind: "preparing", launch: 2 });
    expect(model.leases.get(2)).toBe("waiting");
  });

  it("ends what a late order brings when nobody waits any more", () => {
    const { model, effects } = walk([
      ...toReady.slice(0, 2),
      { type: "release", lease: 1 },
      { type: "created", launch: 1, machine: "i-late" },
    ]);
    expect(effects.at(-1)).toEqual({ type: "destroy", launch: 1, machine: "i-late", failed: false });
    expect(model.state).toMatchObject({ kind: "stopping", machine: "i-late", ordering: false });
  });

  it("looks for the machine of an order whose answer was lost", () => {
    const boom = new LazysshError("CLOUD_UNREACHABLE", "no answer");
    const { effects } = walk([
      ...toReady.slice(0, 2),
      { type: "failed", launch: 1, error: boom, exists: "maybe" },
    ]);
    expect(effects.at(-1)).toEqual({ type: "destroy", launch: 1, machine: undefined, failed: true });
  });

  it("tells every waiter why the start failed, and ends the machine", () => {
    const boom = new LazysshError("BOOT_TIMEOUT", "never answered");
    const { effects, model } = walk([
      { type: "acquire", lease: 1 },
      { type: "acquire", lease: 2 },
      ...toReady.slice(1, 4),
      { type: "failed", launch: 1, error: boom, exists: "no" },
    ]);
    expect(effects.filter((effect) => effect.type === "refuse")).toEqual([
      { type: "refuse", lease: 1, error: boom },
      { type: "refuse", lease: 2, error: boom },
    ]);
    expect(effects.at(-1)).toEqual({ type: "destroy", launch: 1, machine: "i-1", failed: true });
    expect(model.leases.size).toBe(0);
  });

  it("tries again at once after one failed start, and holds back from the second on", () => {
    const fail = (launch: number): Partial<MachineEvent>[] => [
      { type: "acquire", lease: launch },
      { type: "failed", launch, error: boom, exists: "no" },
    ];
    expect(walk(fail(1)).model.state.kind).toBe("absent");
    const twice = walk([...fail(1), ...fail(2)]);
    expect(twice.model.state).toEqual({ kind: "failed", error: boom, retryAt: 2_000 });
    const held = walk([{ type: "acquire", lease: 9, at: 1_500 }], { from: twice.model });
    expect(held.effects).toEqual([{ type: "retry", ms: 500 }]);
    const again = walk([{ type: "retry", at: 2_000 }], { from: held.model });
    expect(again.types).toEqual(["prepare"]);
  });

  it("refuses the waiters of an order that takes too long, and ends what it brings later", () => {
    const { effects, model } = walk([
      ...toReady.slice(0, 2),
      { type: "overdue", launch: 1, error: boom },
      { type: "acquire", lease: 2 },
      { type: "created", launch: 1, machine: "i-1" },
    ]);
    expect(effects.map((effect) => effect.type)).toEqual(["prepare", "create", "refuse", "abort", "destroy"]);
    expect(model.leases.get(2)).toBe("waiting");
  });

  it("takes a dead machine away from those who hold it, and proves that it is gone", () => {
    const { types } = walk([...toReady, { type: "died", launch: 1, error: boom }]);
    expect(types.slice(-3)).toEqual(["revoke", "abort", "destroy"]);
  });

  it("joins a machine that is there, and takes another look when it goes away meanwhile", () => {
    const joined = walk([
      { type: "acquire", lease: 1 },
      { type: "joined", launch: 1, machine: "i-9" },
    ]);
    expect(joined.types).toEqual(["prepare", "boot"]);
    expect(joined.model.state).toEqual({ kind: "booting", launch: 1, machine: "i-9" });
    const missed = walk([{ type: "missed", launch: 1 }], { from: joined.model });
    expect(missed.types).toEqual(["abort", "prepare"]);
    expect(missed.model.state).toEqual({ kind: "preparing", launch: 2 });
    expect(missed.model.leases.get(1)).toBe("waiting");
  });

  it("lets nobody new to an unfit machine, and grants it to those who waited when it is well again", () => {
    const unfit = walk([
      ...toReady,
      { type: "unfit", launch: 1, error: boom },
      { type: "acquire", lease: 2 },
    ]);
    expect(unfit.types.slice(7)).toEqual([]);
    expect(unfit.model.leases.get(2)).toBe("waiting");
    const fit = walk([{ type: "fit", launch: 1 }], { from: unfit.model });
    expect(fit.effects).toEqual([{ type: "grant", lease: 2, host: "10.0.0.1" }]);
    expect(fit.model.leases.get(2)).toBe("held");
  });

  it("takes a silent, unfit machine from its users only when somebody waits for another one", () => {
    const alone = walk([
      ...toReady,
      { type: "unfit", launch: 1, error: boom },
      { type: "silent", launch: 1, unanswered: false },
    ]);
    expect(alone.types.slice(7)).toEqual([]);
    const wanted = walk(
      [
        { type: "acquire", lease: 2 },
        { type: "silent", launch: 1, unanswered: false },
        { type: "stopped", launch: 1 },
      ],
      { from: alone.model },
    );
    expect(wanted.effects.slice(0, 3)).toEqual([
      { type: "revoke", lease: 1, error: boom },
      { type: "abort", launch: 1 },
      { type: "destroy", launch: 1, machine: "i-1", failed: false },
    ]);
    expect(wanted.model.state).toEqual({ kind: "preparing", launch: 2 });
    expect(wanted.model.leases).toEqual(new Map([[2, "waiting"]]));
  });

  it("takes it also from those who have never had anything from it", () => {
    const cut = walk([
      ...toReady,
      { type: "unfit", launch: 1, error: boom },
      { type: "silent", launch: 1, unanswered: true },
    ]);
    expect(cut.types.slice(7)).toEqual(["revoke", "abort", "destroy"]);
  });

  it("keeps a machine that could not be started for want of capacity", () => {
    const { effects } = walk([
      { type: "acquire", lease: 1 },
      { type: "joined", launch: 1, machine: "i-9" },
      { type: "failed", launch: 1, error: boom, exists: "no" },
    ]);
    expect(effects.at(-1)).toEqual({ type: "destroy", launch: 1, machine: "i-9", failed: false });
  });

  it("ends an unfit machine with the last who uses it, whoever waits, and one that lingers at once", () => {
    const left = walk([
      ...toReady,
      { type: "unfit", launch: 1, error: boom },
      { type: "acquire", lease: 2 },
      { type: "release", lease: 1 },
    ]);
    expect(left.types.slice(7)).toEqual(["abort", "destroy"]);
    expect(left.model.leases.get(2)).toBe("waiting");
    const lingering = walk(
      [...toReady, { type: "release", lease: 1 }, { type: "unfit", launch: 1, error: boom }],
      { lingerMs: 500 },
    );
    expect(lingering.types.slice(-2)).toEqual(["abort", "destroy"]);
  });

  it("refuses, revokes and ends everything on close, and starts nothing afterwards", () => {
    const { types, model } = walk([
      ...toReady,
      { type: "close", error: boom },
      { type: "stopped", launch: 1 },
      { type: "acquire", lease: 7 },
    ]);
    expect(types.slice(-4)).toEqual(["revoke", "abort", "destroy", "refuse"]);
    expect(model.state.kind).toBe("absent");
  });

  it("ends a machine that an earlier run left before the target starts again", () => {
    const { types } = walk(
      [
        { type: "acquire", lease: 1 },
        { type: "stopped", launch: 1 },
      ],
      {
        from: leftoverMachine("i-old"),
      },
    );
    expect(types).toEqual(["prepare"]);
  });
});
