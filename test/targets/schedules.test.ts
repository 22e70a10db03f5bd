import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Provider } from "../../src/providers/index.ts";
import type { Journal, Lease } from "../../src/targets/index.ts";
import { LazysshError } from "../../src/util/errors.ts";
import { world } from "./world.ts";

/** What can go wrong with one call: before its effect, or after it, when only the answer is lost. */
const failures = {
  unreachable: () => new LazysshError("CLOUD_UNREACHABLE", "connection reset", { retryable: true }),
  throttled: () => new LazysshError("THROTTLED", "slow down", { retryable: true }),
  internal: () => new LazysshError("CLOUD_ERROR", "internal error", { retryable: true }),
  notFound: () => new LazysshError("MACHINE_NOT_FOUND", "not listed", { retryable: true }),
  capacity: () => new LazysshError("NO_CAPACITY", "no capacity"),
} as const;
type Failure = keyof typeof failures;

/** Failures that EC2 gives to a call at all. */
const possible: Record<string, readonly Failure[]> = {
  create: ["unreachable", "throttled", "internal", "capacity"],
  describe: ["unreachable", "throttled", "internal", "notFound"],
  destroy: ["unreachable", "throttled", "internal", "notFound"],
  attach: ["unreachable", "throttled", "internal"],
  find: ["unreachable", "throttled", "internal"],
  list: ["unreachable", "throttled", "internal"],
  volumesFree: ["unreachable", "throttled", "internal"],
};

const action = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("arrive" as const) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("leave" as const), which: fc.nat(20) }) },
  {
    weight: 10,
    arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 8_000 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("kill" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("weather" as const), percent: fc.constantFrom(0, 20, 60) }),
  },
);

interface Run {
  readonly lingerMs: number;
  /** Decides, call by call, what goes wrong. */
  readonly luck: number;
  readonly actions: readonly (typeof action extends fc.Arbitrary<infer A> ? A : never)[];
}

const run = fc.record({
  lingerMs: fc.constantFrom(0, 3_000),
  luck: fc.nat(2 ** 31 - 1),
  actions: fc.array(action, { minLength: 5, maxLength: 40, size: "max" }),
});

/** A small generator, so that a run is the same whenever it is replayed (mulberry32). */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Plays a schedule to its end, and then lets the sun shine: nothing may be left, and nothing may have gone wrong on the way. */
async function play({ lingerMs, luck, actions }: Run): Promise<void> {
  const roll = dice(luck);
  let percent = 20;
  /** Programs that were killed: what they still do no longer happens. */
  const alive = { generation: 0 };
  const fragile = (generation: number) => (provider: Provider, journal: Journal) => ({
    provider: weather(mortal(generation, provider)),
    journal: mortal(generation, journal),
  });
  function mortal<T extends object>(generation: number, what: T): T {
    return new Proxy(what, {
      get(object, name) {
        const method = Reflect.get(object, name, object);
        if (typeof method !== "function" || name === "remedy") return method;
        return async (...args: unknown[]) => {
          if (alive.generation !== generation) return new Promise(() => undefined);
          const answer = await method.apply(object, args);
          return alive.generation === generation ? answer : new Promise(() => undefined);
        };
      },
    });
  }
  function weather(provider: Provider): Provider {
    return new Proxy(provider, {
      get(object, name) {
        const method = Reflect.get(object, name, object);
        const kinds = possible[String(name)];
        if (typeof method !== "function" || !kinds) return method;
        return async (...args: unknown[]) => {
          const bad = roll() * 100 < percent;
          const kind = kinds[Math.floor(roll() * kinds.length)] ?? "internal";
          const after = roll() < 0.5 && kind !== "capacity" && kind !== "notFound" && kind !== "throttled";
          if (bad && !after) throw failures[kind]();
          const answer = await method.apply(object, args);
          if (bad) throw failures[kind]();
          return answer;
        };
      },
    });
  }

  const w = world({ lingerMs, bootTimeoutMs: 30_000 }, fragile(0));
  const { clock, cloud, journal } = w;
  let fleet = w.fleet;
  const leases = new Set<Lease>();
  const waiting = new Set<AbortController>();
  let unanswered = 0;

  const arrive = () => {
    const leaver = new AbortController();
    waiting.add(leaver);
    unanswered += 1;
    const generation = alive.generation;
    fleet
      .acquire("archiver", w.tenant(), leaver.signal)
      .then(
        (lease) => {
          if (alive.generation === generation) leases.add(lease);
        },
        () => undefined,
      )
      .finally(() => {
        waiting.delete(leaver);
        if (alive.generation === generation) unanswered -= 1;
      });
  };

  for (const step of actions) {
    switch (step.do) {
      case "arrive":
        arrive();
        break;
      case "leave": {
        const lease = [...leases][step.which];
        if (lease) {
          leases.delete(lease);
          lease.release();
        } else [...waiting][step.which]?.abort(new Error("left"));
        break;
      }
      case "wait":
        await clock.advance(step.ms);
        break;
      case "crash": // with everything it had promised to anybody
        alive.generation += 1;
        leases.clear();
        waiting.clear();
        unanswered = 0;
        fleet = w.start(fragile(alive.generation));
        await fleet.recover();
        break;
      case "kill":
        cloud.kill("Server.SpotInstanceTermination");
        break;
      case "weather":
        percent = step.percent;
    }
    expect(cloud.mostRunning).toBeLessThanOrEqual(1);
    expect(cloud.mostAttached).toBeLessThanOrEqual(1);
  }

  percent = 0;
  for (const lease of leases) lease.release();
  for (const leaver of [...waiting]) leaver.abort(new Error("left"));
  await clock.until(() => w.quiet() && journal.records.size === 0 && unanswered === 0, 1_200_000);
  expect(cloud.mostRunning).toBeLessThanOrEqual(1);
  expect(cloud.mostAttached).toBeLessThanOrEqual(1);

  // And it still works.
  const asked = w.ask({ from: fleet });
  await clock.until(() => asked.settled, 120_000);
  expect(asked.error).toBeUndefined();
}

describe("random schedules of arrivals, departures, faults, deaths and crashes", () => {
  it("end with nothing running, the volume free, every client answered, and a fleet that works", async () => {
    await fc.assert(fc.asyncProperty(run, play), { numRuns: 2_000 });
  }, 240_000);
});
