import { describe, expect, it } from "vitest";
import type { Provider } from "../../src/providers/index.ts";
import type { Journal } from "../../src/targets/index.ts";
import { world } from "./world.ts";

/** Where a run is cut off: at its nth effect, before it happens or after it has, but before anybody heard. */
interface Cut {
  readonly at: number;
  readonly when: "before" | "after";
}

const never = new Promise<never>(() => undefined);

/** Counts the effects of one run on cloud and journal, and lets the run fall silent at one of them, as SIGKILL does. */
class Effects {
  count = 0;
  crashed = false;
  readonly names: string[] = [];
  readonly #cut: Cut | undefined;

  constructor(cut?: Cut) {
    this.#cut = cut;
  }

  /** The same object, every method of which is an effect. */
  around<T extends Provider | Journal>(what: T): T {
    return new Proxy(what, {
      get: (object, name) => {
        const method = Reflect.get(object, name, object);
        if (typeof method !== "function" || name === "remedy") return method;
        return (...args: unknown[]) => this.#effect(String(name), () => method.apply(object, args));
      },
    });
  }

  async #effect(name: string, happen: () => Promise<unknown>): Promise<unknown> {
    if (this.crashed) return never;
    const index = this.count++;
    this.names.push(name);
    if (index !== this.#cut?.at) return happen();
    this.crashed = true;
    if (this.#cut.when === "after") await happen();
    return never;
  }
}

interface Kind {
  readonly target: Parameters<typeof world>[0];
  readonly server: Parameters<typeof world>[2];
  /** Effects that its life has to have, so that the list of cuts cannot shrink unseen. */
  readonly effects: readonly string[];
}

const always = ["list", "write", "describe", "attach", "annotate", "rest"];

const kinds: Readonly<Record<string, Kind>> = {
  "a machine that is terminated": {
    target: {},
    server: {},
    effects: [...always, "volumesFree", "create", "destroy", "forget"],
  },
  "a machine of a group of servers": {
    target: {},
    server: { group: "home" },
    effects: [...always, "volumesFree", "create", "destroy", "forget"],
  },
  "a machine that is started again": {
    target: { stopMode: "stop" },
    server: {},
    effects: [...always, "start"],
  },
  "a machine of a group that is started again": {
    target: { stopMode: "stop" },
    server: { group: "home" },
    effects: [...always, "start"],
  },
};

/** A whole life: somebody comes, leaves, the machine lingers, ends. Answers what went on, cut off or not. */
async function life({ target, server }: Kind, cut?: Cut) {
  const effects = new Effects(cut);
  const w = world(
    { lingerMs: 2_000, ...target },
    (provider, journal) => ({ provider: effects.around(provider), journal: effects.around(journal) }),
    server,
  );
  const { clock, cloud, journal } = w;
  const rests = target?.stopMode === "stop";
  if (rests) {
    // It was there before.
    const { id } = await cloud.create({ token: "of before", alternative: 0, notes: {} });
    await clock.advance(cloud.pendingMs);
    await cloud.attach(id);
    await cloud.rest(id);
    await clock.advance(cloud.restMs);
  }
  /** Nothing costs machine time, and no volume is held but by a machine at rest. */
  const over = () =>
    cloud.running.length === 0 &&
    (rests || cloud.volumeFree) &&
    [...journal.records.values()].every((record) => record.rests);
  const first = w.ask();
  await clock.until(() => first.settled || effects.crashed, 60_000);
  if (!effects.crashed) {
    first.lease?.release();
    await clock.until(() => over() || effects.crashed, 60_000);
  }
  return { w, effects, over };
}

describe.each(Object.entries(kinds))("a crash at every effect of the life of %s", async (_, kind) => {
  const whole = (await life(kind)).effects;

  it("has effects of every kind to be cut off at", () => {
    expect(whole.names).toEqual(expect.arrayContaining([...kind.effects]));
  });

  const cuts = whole.names.flatMap((name, at) =>
    (["before", "after"] as const).map((when): [string, Cut] => [
      `${when} effect ${at + 1}, ${name}`,
      { at, when },
    ]),
  );

  it.each(cuts)("%s: the next run leaves nothing behind", async (_, cut) => {
    const { w, effects, over } = await life(kind, cut);
    expect(effects.crashed).toBe(true);
    const { clock, cloud } = w;

    const successor = w.start();
    await successor.recover();
    await clock.until(over, 400_000);
    expect(cloud.mostRunning).toBeLessThanOrEqual(1);
    expect(cloud.mostAttached).toBeLessThanOrEqual(1);
    expect(cloud.cutOff).toBe(0);
  });

  it.each(cuts)("%s: who connects to the next run is served, by one machine at a time", async (_, cut) => {
    const { w, over } = await life(kind, cut);
    const { clock, cloud } = w;
    const successor = w.start();
    await successor.recover();
    const asked = w.ask({ from: successor });
    await clock.until(() => asked.settled, 200_000);
    expect(asked.error).toBeUndefined();
    expect(cloud.mostRunning).toBe(1);
    expect(cloud.mostAttached).toBe(1);
    expect(cloud.cutOff).toBe(0);
    asked.lease?.release();
    await clock.until(over, 120_000);
  });
});
