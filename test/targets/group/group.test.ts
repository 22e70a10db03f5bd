import { describe, expect, it } from "vitest";
import type { Provider } from "../../../src/providers/index.ts";
import { LazysshError } from "../../../src/util/errors.ts";
import { memoryJournal, world } from "../world.ts";

/** Two servers of one group, with a state directory each. */
async function pair(overrides: Parameters<typeof world>[0] = {}) {
  const w = world(overrides, undefined, { group: "home" });
  const journals = [memoryJournal(), memoryJournal()] as const;
  /** Servers of which nothing is heard any more. */
  const gone = new Set<number>();
  const startServer = (index: 0 | 1) =>
    w.start(
      (provider) => ({ provider: unless(() => gone.has(index), provider), journal: journals[index] }),
      {},
      index === 0 ? "a" : "b",
    );
  const [a, b] = [startServer(0), startServer(1)];
  await Promise.all([a.recover(), b.recover()]);
  const empty = () => journals.every(({ records }) => records.size === 0);
  return { ...w, a, b, gone, startServer, empty };
}

function unless(gone: () => boolean, provider: Provider): Provider {
  return new Proxy(provider, {
    get(object, name) {
      const method = Reflect.get(object, name, object);
      if (typeof method !== "function") return method;
      return (...args: unknown[]) => (gone() ? new Promise(() => undefined) : method.apply(object, args));
    },
  });
}

describe("two servers of a group", () => {
  it("start one machine together, and it runs as long as either of them needs it", async () => {
    const { ask, a, b, clock, cloud, quiet, empty, seen } = await pair();
    const [first, second] = [ask({ from: a }), ask({ from: b })];
    await clock.until(() => first.settled && second.settled, 20_000);
    expect([first.error, second.error]).toEqual([undefined, undefined]);
    expect(cloud.machines).toHaveLength(1);
    expect(Object.keys(cloud.machines[0]?.notes ?? {})).toEqual(
      expect.arrayContaining(["lease:a", "lease:b", "expires", "generation"]),
    );
    first.lease?.release();
    await clock.advance(3_600_000);
    expect(cloud.running).toHaveLength(1);
    expect(second.lease?.signal.aborted).toBe(false);
    expect(seen).toContainEqual({ type: "machine.left_to_others", target: "archiver", machine: "i-1" });
    second.lease?.release();
    await clock.until(() => quiet() && empty(), 30_000);
    expect(cloud.machines).toHaveLength(1);
  });

  it("order with a token that both know, a new one for each start", async () => {
    const { ask, a, b, clock, cloud, quiet } = await pair();
    for (const from of [a, b, a]) {
      const asked = ask({ from });
      await clock.until(() => asked.settled, 30_000);
      asked.lease?.release();
      await clock.until(quiet, 30_000);
    }
    const tokens = cloud.machines.map(({ token }) => token);
    expect(new Set(tokens).size).toBe(3);
    const generations = cloud.machines.map(({ notes }) => Number(notes.generation));
    expect(generations).toEqual([0, 1, 2].map((n) => (generations[0] ?? 0) + n));
  });

  it("walk on together where the cloud has forgotten what came before", async () => {
    const { ask, a, b, clock, cloud, quiet } = await pair();
    for (const from of [a, a, a]) {
      const asked = ask({ from });
      await clock.until(() => asked.settled, 30_000);
      asked.lease?.release();
      await clock.until(quiet, 30_000);
    }
    // What is over is not listed any more, but its tokens are spent.
    cloud.listsGone = false;
    const asked = ask({ from: b });
    await clock.until(() => asked.settled, 30_000);
    expect(asked.error).toBeUndefined();
    expect(cloud.machines).toHaveLength(4);
    expect(cloud.mostRunning).toBe(1);
  });

  it("leave each other's machines alone, and end those of one that is gone when its lease is over", async () => {
    const { ask, a, clock, cloud, quiet, gone } = await pair();
    const asked = ask({ from: a });
    await clock.until(() => asked.settled, 20_000);
    // From here on nothing is heard of server a any more.
    gone.add(0);
    const until = Date.parse(cloud.machines[0]?.notes.expires ?? "");
    await clock.advance(until - clock.now() - 1_000);
    expect(cloud.running).toHaveLength(1);
    await clock.until(quiet, 180_000);
  });

  it("who comes while the other one is ending the machine waits, and is not let to it", async () => {
    const { ask, a, b, clock, cloud } = await pair();
    const first = ask({ from: a });
    await clock.until(() => first.settled, 20_000);
    // The end takes long: the cloud does not take it for a while.
    let refused = 0;
    cloud.fault = (verb) => {
      if (verb !== "rest" || refused >= 3) return;
      refused += 1;
      throw new LazysshError("CLOUD_ERROR", "busy", { retryable: true });
    };
    first.lease?.release();
    await clock.until(() => refused > 0, 10_000);
    const second = ask({ from: b });
    await clock.until(() => second.settled, 60_000);
    expect(second.error).toBeUndefined();
    await clock.advance(60_000);
    expect(second.lease?.signal.aborted).toBe(false);
    expect(cloud.running).toHaveLength(1);
    expect(cloud.mostRunning).toBe(1);
    expect(cloud.cutOff).toBe(0);
  });

  it("choose the same one of two machines that were started at once, and end the other", async () => {
    const { ask, a, b, clock, cloud, empty } = await pair();
    // Each of them believes that it is the first of its number: they do not see each other's orders.
    cloud.splitTokens = true;
    const [first, second] = [ask({ from: a }), ask({ from: b })];
    await clock.until(() => first.settled && second.settled, 60_000);
    expect([first.error, second.error]).toEqual([undefined, undefined]);
    await clock.until(() => cloud.running.length === 1, 60_000);
    expect(first.lease?.signal.aborted || second.lease?.signal.aborted).toBe(false);
    expect(cloud.mostAttached).toBe(1);
    first.lease?.release();
    second.lease?.release();
    await clock.until(() => cloud.running.length === 0 && empty(), 60_000);
  });

  it("take a machine over after their own crash, but not from another", async () => {
    const { ask, a, b, clock, cloud, startServer, quiet } = await pair();
    const asked = ask({ from: b });
    await clock.until(() => asked.settled, 20_000);
    expect(a.running()).toEqual([]);
    const again = startServer(1);
    await again.recover();
    await clock.until(() => again.running().length === 1, 10_000);
    expect(a.running()).toEqual([]);
    asked.lease?.release();
    await clock.until(quiet, 120_000);
    expect(cloud.machines).toHaveLength(1);
  });
});
