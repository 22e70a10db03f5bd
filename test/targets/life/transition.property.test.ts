import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LeaseId } from "../../../src/targets/life/state.ts";
import { boom, World } from "./world.ts";

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
