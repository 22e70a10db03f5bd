import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CreateRequest, Provider } from "../../src/providers/index.ts";
import { type PlayOptions, play, schedule } from "./schedule.ts";

/** Plays random schedules; fast-check prints the seed and the smallest schedule of a failure, and either replays it. */
async function playMany(runs: number, options: PlayOptions): Promise<void> {
  await fc.assert(
    fc.asyncProperty(schedule, (one) => play(one, options)),
    { numRuns: runs },
  );
}

/** How many schedules it takes to see that something is wrong; undefined when it is not seen within `most`. */
async function seenAfter(most: number, options: PlayOptions): Promise<number | undefined> {
  const details = await fc.check(
    fc.asyncProperty(schedule, (one) => play(one, options)),
    { numRuns: most, endOnFailure: true },
  );
  return details.failed ? details.numRuns : undefined;
}

/** The provider with some verbs replaced. */
function instead(provider: Provider, verbs: Partial<Provider>): Provider {
  return new Proxy(provider, {
    get(object, name) {
      const replaced = verbs[name as keyof Provider];
      if (replaced !== undefined) return replaced;
      const value = Reflect.get(object, name, object);
      return typeof value === "function" ? value.bind(object) : value;
    },
  });
}

describe("random schedules of arrivals, departures, faults, deaths and crashes", () => {
  it("end with nothing running, the volume free, every client answered, and a server that works", async () => {
    await playMany(2_000, { servers: 1 });
  }, 300_000);

  it("end so with two servers that share a target, whichever of them is gone for good", async () => {
    await playMany(2_000, { servers: 2 });
  }, 300_000);
});

/** Bugs as somebody might make them. That they are seen shows that the schedules look where they say. */
const bugs: Readonly<Record<string, (provider: Provider) => Provider>> = {
  "each order has a token of its own": (provider) => {
    let orders = 0;
    return instead(provider, {
      create: (request: CreateRequest, signal) =>
        provider.create({ ...request, token: `${request.token}-${++orders}` }, signal),
    });
  },
  "a machine that was asked to end is taken as gone": (provider) =>
    instead(provider, {
      describe: async (id, signal) => {
        const machine = await provider.describe(id, signal);
        return machine.phase === "stopping" ? { ...machine, phase: "gone" } : machine;
      },
      volumesFree: async () => ({ done: true }),
    }),
  "nothing is listed after a crash": (provider) =>
    instead(provider, { list: async () => [], find: async () => undefined }),
  "a machine with a volume is terminated as it runs": (provider) =>
    instead(provider, { rest: (id, _, signal) => provider.destroy(id, signal) }),
};

const bugsOfTwo: typeof bugs = {
  "leases of other servers are not seen": (provider) =>
    instead(provider, {
      describe: async (id, signal) => ({ ...(await provider.describe(id, signal)), notes: {} }),
    }),
  "a server does not say that it needs the machine": (provider) =>
    instead(provider, {
      annotate: (id, notes, signal) => {
        const silent = Object.entries(notes).filter(([key]) => !key.startsWith("lease:"));
        return provider.annotate(id, Object.fromEntries(silent), signal);
      },
    }),
};

describe("a bug", () => {
  it.each(Object.entries(bugs))(
    "%s: is seen within 200 schedules",
    async (_, sabotage) => {
      expect(await seenAfter(200, { servers: 1, sabotage })).toBeLessThanOrEqual(200);
    },
    120_000,
  );

  it.each(Object.entries(bugsOfTwo))(
    "%s: is seen within 200 schedules of two servers",
    async (_, sabotage) => {
      expect(await seenAfter(200, { servers: 2, sabotage })).toBeLessThanOrEqual(200);
    },
    120_000,
  );
});
