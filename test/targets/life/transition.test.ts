import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  adoptedMachine,
  type Effect,
  type LeaseId,
  leftoverMachine,
  type MachineEvent,
  type MachineModel,
  newMachine,
  type UntimedEvent,
} from "../../../src/targets/life/state.ts";
import { transition } from "../../../src/targets/life/transition.ts";
import { LazysshError } from "../../../src/util/errors.ts";

const boom = new LazysshError("NO_CAPACITY", "no capacity");

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

/**
 * The world around the machine, played by fast-check: it carries out effects in any order and at any time, loses and
 * delays answers, lets machines die, and keeps the books that the two promises are about.
 */
class World {
  model: MachineModel = newMachine;
  readonly answers = new Map<LeaseId, number>();
  readonly wanted = new Set<LeaseId>();
  /** Machines that exist in the cloud, by launch. */
  readonly exists = new Map<number, string>();
  /** Launches that found a machine instead of making one. */
  readonly others = new Set<number>();
  /** Steps under way: what may be answered next. */
  pending: Effect[] = [];
  at = 0;
  mostMachines = 0;
  readonly lingerMs: number;

  constructor(lingerMs: number) {
    this.lingerMs = lingerMs;
  }

  /** A machine of an earlier run, at the start of this one. */
  continueFrom(what: "adopted" | "leftover"): void {
    this.exists.set(1, "i-1");
    this.model = what === "adopted" ? adoptedMachine("i-1") : leftoverMachine("i-1");
    this.pending.push(
      what === "adopted"
        ? { type: "boot", launch: 1, machine: "i-1" }
        : { type: "destroy", launch: 1, machine: "i-1", failed: false },
    );
  }

  dispatch(event: UntimedEvent): void {
    const { model, effects } = transition(this.model, { ...event, at: this.at } as MachineEvent, {
      lingerMs: this.lingerMs,
    });
    this.model = model;
    for (const effect of effects) {
      switch (effect.type) {
        case "grant":
        case "refuse":
          this.answers.set(effect.lease, (this.answers.get(effect.lease) ?? 0) + 1);
          if (effect.type === "refuse") this.wanted.delete(effect.lease);
          break;
        case "revoke":
          this.wanted.delete(effect.lease);
          break;
        case "abort":
          // An order under way is not interrupted; everything else is.
          this.pending = this.pending.filter(
            (step) => !("launch" in step) || step.launch !== effect.launch || step.type === "create",
          );
          break;
        default:
          this.pending.push(effect);
      }
    }
  }

  /** Carries one pending effect out, well or badly. */
  answer(index: number, luck: number): void {
    const effect = this.pending[index % Math.max(this.pending.length, 1)];
    if (!effect) return;
    this.pending = this.pending.filter((step) => step !== effect);
    const event = this.outcome(effect, luck);
    if (event) this.dispatch(event);
    else this.pending.push(effect);
  }

  /** The machine is another's to end. */
  private miss(launch: number): UntimedEvent {
    this.exists.delete(launch);
    return { type: "missed", launch };
  }

  private outcome(effect: Effect, luck: number): UntimedEvent | undefined {
    const launch = "launch" in effect ? effect.launch : 0;
    const failed: UntimedEvent = { type: "failed", launch, error: boom, exists: "no" };
    const bad = luck < 0.12;
    switch (effect.type) {
      case "prepare":
        // One that is there: another server's, or one at rest.
        if (luck >= 0.12 && luck < 0.25) {
          this.exists.set(launch, `i-${launch}`);
          this.others.add(launch);
          return { type: "joined", launch, machine: `i-${launch}` };
        }
        return bad ? failed : { type: "prepared", launch };
      case "create": {
        if (luck < 0.05) return failed;
        if (luck >= 0.1) this.exists.set(launch, `i-${launch}`);
        this.mostMachines = Math.max(this.mostMachines, this.exists.size);
        if (luck < 0.2) return { type: "failed", launch, error: boom, exists: "maybe" };
        if (luck < 0.25) return this.miss(launch);
        return { type: "created", launch, machine: `i-${launch}` };
      }
      case "boot":
        if (luck >= 0.12 && luck < 0.25 && this.others.has(launch)) return this.miss(launch);
        return bad ? failed : { type: "booted", launch };
      case "attach":
        return bad ? failed : { type: "attached", launch };
      case "probe":
        return bad ? failed : { type: "answering", launch, host: "h" };
      case "watch":
        // It goes on while the machine is in use.
        if (bad) return { type: "died", launch, error: boom };
        if (luck < 0.4) {
          const type = luck < 0.2 ? "unfit" : luck < 0.3 ? "fit" : "silent";
          this.dispatch({ type, launch, error: boom, unanswered: luck < 0.35 });
        }
        return undefined;
      case "linger":
        return { type: "lingered", launch };
      case "retry":
        this.at += effect.ms;
        return { type: "retry" };
      case "destroy":
        this.exists.delete(launch);
        return { type: "stopped", launch };
      default:
        throw new Error(`unexpected effect ${effect.type}`);
    }
  }
}

describe("transition, whatever happens", () => {
  // Not fc.double: most doubles lie next to 0, and nothing would ever go well.
  const luck = fc.integer({ min: 0, max: 99 }).map((percent) => percent / 100);
  const action = fc.oneof(
    { weight: 3, arbitrary: fc.record({ do: fc.constant("acquire" as const) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("release" as const), which: fc.nat() }) },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant("answer" as const),
        which: fc.nat(),
        luck,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant("late" as const),
        which: fc.nat(),
        luck,
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("overdue" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat(60_000) }) },
  );

  it("keeps both promises and answers every lease exactly once", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("new", "adopted", "leftover"),
        fc.constantFrom(0, 500),
        fc.array(action, { minLength: 10, maxLength: 150, size: "max" }),
        fc.boolean(),
        (from, lingerMs, actions, closes) => {
          const world = new World(lingerMs);
          if (from !== "new") world.continueFrom(from);
          let next: LeaseId = 1;
          for (const step of actions) {
            switch (step.do) {
              case "acquire":
                world.wanted.add(next);
                world.dispatch({ type: "acquire", lease: next++ });
                break;
              case "release": {
                const lease = [...world.wanted][step.which % Math.max(world.wanted.size, 1)];
                if (lease === undefined) break;
                world.wanted.delete(lease);
                if (!world.answers.has(lease)) world.answers.set(lease, 1); // leaving is its own answer
                world.dispatch({ type: "release", lease });
                break;
              }
              case "answer":
                world.answer(step.which, step.luck);
                break;
              case "late": // a result of a launch long past, or of one to come, changes nothing
                world.dispatch({ type: "created", launch: 1_000 + step.which, machine: "i-stray" });
                break;
              case "overdue":
                world.dispatch({ type: "overdue", launch: world.model.launches, error: boom });
                break;
              case "wait":
                world.at += step.ms;
            }
            expect(world.exists.size).toBeLessThanOrEqual(1);
            const { state, leases } = world.model;
            expect([...leases.keys()].sort()).toEqual([...world.wanted].sort());
            if (state.kind === "ready" || state.kind === "lingering")
              expect(leases.size > 0).toBe(state.kind === "ready");
            if ([...leases.values()].includes("held")) expect(state.kind).toBe("ready");
            else if (state.kind === "ready") expect.unreachable("a machine is ready, and nobody has it");
            // Who waits in front of a ready machine waits because it is unfit.
            if (state.kind === "ready" && !state.unfit) expect([...leases.values()]).not.toContain("waiting");
            if (world.exists.size > 0) expect(["absent", "failed", "preparing"]).not.toContain(state.kind);
          }
          // Everybody leaves, or the program ends, and what is under way comes to its end.
          if (closes) world.dispatch({ type: "close", error: boom });
          else for (const lease of world.wanted) world.dispatch({ type: "release", lease });
          for (let i = 0; i < 50; i++) world.answer(0, 0.99);
          expect(world.exists.size).toBe(0);
          expect(["absent", "failed"]).toContain(world.model.state.kind);
          expect(world.model.leases.size).toBe(0);
          for (const [, count] of world.answers) expect(count).toBe(1);
          expect(world.mostMachines).toBeLessThanOrEqual(1);
        },
      ),
      { numRuns: 400 },
    );
  });

  it("never leaves a lease without an answer when the world goes on", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(), luck), { maxLength: 60 }), (answers) => {
        const world = new World(0);
        for (let lease = 1; lease <= 5; lease++) {
          world.wanted.add(lease);
          world.dispatch({ type: "acquire", lease });
          const answer = answers[lease];
          if (answer) world.answer(...answer);
        }
        for (const answer of answers) world.answer(...answer);
        for (let i = 0; i < 100; i++) world.answer(0, 0.99);
        for (let lease = 1; lease <= 5; lease++) expect(world.answers.get(lease)).toBe(1);
      }),
      { numRuns: 500 },
    );
  });
});
