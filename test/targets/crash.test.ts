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

/** A whole life: somebody comes, leaves, the machine lingers, ends. Answers what went on, cut off or not. */
async function life(cut?: Cut) {
  const effects = new Effects(cut);
  const w = world({ lingerMs: 2_000 }, (provider, journal) => ({
    provider: effects.around(provider),
    journal: effects.around(journal),
  }));
  const { clock } = w;
  const first = w.ask();
  await clock.until(() => first.settled || effects.crashed, 30_000);
  if (!effects.crashed) {
    first.lease?.release();
    await clock.until(() => (w.quiet() && w.journal.records.size === 0) || effects.crashed, 30_000);
  }
  return { w, effects };
}

describe("a crash at every effect of a machine's life", async () => {
  const whole = (await life()).effects;

  it("has effects of every kind to be cut off at", () => {
    for (const name of [
      "list",
      "volumesFree",
      "write",
      "create",
      "describe",
      "attach",
      "destroy",
      "forget",
    ]) {
      expect(whole.names).toContain(name);
    }
  });

  const cuts = whole.names.flatMap((name, at) =>
    (["before", "after"] as const).map((when): [string, Cut] => [
      `${when} effect ${at + 1}, ${name}`,
      { at, when },
    ]),
  );

  it.each(cuts)("%s: the next run leaves nothing behind", async (_, cut) => {
    const { w, effects } = await life(cut);
    expect(effects.crashed).toBe(true);
    const { clock, cloud, journal } = w;

    const successor = w.start();
    await successor.recover();
    await clock.until(() => w.quiet() && journal.records.size === 0, 300_000);
    expect(cloud.mostRunning).toBeLessThanOrEqual(1);
    expect(cloud.mostAttached).toBeLessThanOrEqual(1);
  });

  it.each(cuts)("%s: who connects to the next run is served, by one machine at a time", async (_, cut) => {
    const { w } = await life(cut);
    const { clock, cloud, journal } = w;
    const successor = w.start();
    await successor.recover();
    const asked = w.ask({ from: successor });
    await clock.until(() => asked.settled, 200_000);
    expect(asked.error).toBeUndefined();
    expect(cloud.mostRunning).toBe(1);
    expect(cloud.mostAttached).toBe(1);
    asked.lease?.release();
    await clock.until(() => w.quiet() && journal.records.size === 0, 60_000);
  });
});
