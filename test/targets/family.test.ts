import { describe, expect, it } from "vitest";
import type { AwsEc2Target, Config } from "../../src/config/index.ts";
import { createEventStream, type LazysshEvent } from "../../src/observe/index.ts";
import { createFleet, createMeter, type Lease, type Tenant } from "../../src/targets/index.ts";
import type { LazysshError } from "../../src/util/errors.ts";
import { SimClock, settled } from "../harness/sim-clock.ts";
import { SimProvider } from "../harness/sim-provider.ts";
import { targetWith } from "../harness/target.ts";
import { memoryJournal } from "./world.ts";

const never = new AbortController().signal;

/** A fleet of the family `*.dev` and of `archiver`, with a simulated cloud for each name; `start` makes another fleet in the same clouds. */
function familyWorld(family: Partial<AwsEc2Target> = {}) {
  const clock = new SimClock();
  const journal = memoryJournal();
  const meter = createMeter();
  const clouds = new Map<string, SimProvider>();
  const seen: LazysshEvent[] = [];
  /** Names whose surroundings were made. */
  const made: string[] = [];
  const cloudOf = (name: string): SimProvider => {
    const cloud = clouds.get(name) ?? new SimProvider(clock, name);
    clouds.set(name, cloud);
    return cloud;
  };
  const config = (changed: Partial<AwsEc2Target> = {}): Config => ({
    file: "config.hcl",
    server: {} as Config["server"],
    jobs: [],
    targets: [
      targetWith({ name: "*.dev", ready: "ssh", ...family, ...changed }),
      targetWith({ name: "archiver", ready: "ssh" }),
      { type: "forward", name: "nas-?", to: "192.0.2.1", ports: [22] },
    ],
  });
  const start = () => {
    const events = createEventStream();
    events.subscribe((event) => seen.push(event));
    return createFleet({
      config: config(),
      clock,
      events,
      journal,
      meter,
      server: "first",
      remote: async () => undefined,
      provider({ name }) {
        made.push(name);
        return cloudOf(name);
      },
      probe: async ({ signal }) => {
        await clock.sleep(1_000, signal);
        return { greeted: true };
      },
    });
  };
  const fleet = start();
  let connections = 0;
  const ask = (target: string, user?: Tenant["user"], from = fleet) => {
    const asked: { lease?: Lease; error?: LazysshError; settled: boolean } = { settled: false };
    const tenant = { connection: `c${++connections}`, client: "192.0.2.7:1", ...(user && { user }) };
    from.acquire(target, tenant, never).then(
      (lease) => Object.assign(asked, { lease, settled: true }),
      (error) => Object.assign(asked, { error, settled: true }),
    );
    return asked;
  };
  const running = () =>
    [...clouds].flatMap(([name, cloud]) => (cloud.running.length > 0 ? [name] : [])).sort();
  const ready = async (...names: string[]) => {
    const asked = names.map((name) => ask(name));
    await clock.until(() => asked.every((one) => one.settled), 20_000);
    return asked.map(({ lease, error }) => {
      if (!lease) throw error ?? new Error("no lease");
      return lease;
    });
  };
  return { clock, journal, seen, made, fleet, start, config, ask, ready, running, cloudOf };
}

const alice = (maxMachines?: number, sees: (name: string) => boolean = () => true) => ({
  name: "alice",
  maxMachines,
  sees,
});

describe("a family of targets", () => {
  it("has a machine for each name, and one for all who want the same", async () => {
    const { ask, clock, running, fleet, cloudOf } = familyWorld();
    const asked = ["a.dev", "b.dev", "a.dev"].map((name) => ask(name));
    await clock.until(() => asked.every(({ lease }) => lease), 20_000);
    expect(running()).toEqual(["a.dev", "b.dev"]);
    const [family] = fleet.status();
    expect(family?.name).toBe("*.dev");
    expect(family?.machines.map(({ target, state, leases }) => [target, state, leases.length])).toEqual([
      ["a.dev", "ready", 2],
      ["b.dev", "ready", 1],
    ]);
    asked[1]?.lease?.release();
    await clock.until(() => running().length === 1, 20_000);
    expect(running()).toEqual(["a.dev"]);
    expect(cloudOf("a.dev").machines).toHaveLength(1);
  });

  it("counts all its machines for max_machines, and its budget", async () => {
    const { ask, clock, ready, fleet } = familyWorld({ maxMachines: 2, budgetMsPerDay: 3_600_000 });
    await ready("a.dev", "b.dev");
    const third = ask("c.dev");
    await clock.until(() => third.settled, 5_000);
    expect(third.error).toMatchObject({
      code: "LIMIT_REACHED",
      message: expect.stringContaining("c.dev: 2 machines of *.dev there are already"),
    });
    const again = ask("a.dev");
    await clock.until(() => again.settled, 5_000);
    expect(again.lease).toBeDefined();
    await clock.advance(20 * 60_000);
    expect(fleet.status()[0]?.usedTodayMs).toBeGreaterThan(2 * 20 * 60_000);
    await clock.advance(15 * 60_000);
    const late = ask("a.dev");
    await clock.until(() => late.settled, 60_000);
    expect(late.error).toMatchObject({
      code: "BUDGET_REACHED",
      message: expect.stringContaining("a.dev: the budget of all of *.dev, of 1 hours a day"),
    });
  });

  it("is found again after a restart: each machine serves its own name", async () => {
    const { ready, start, ask, clock, cloudOf, running } = familyWorld();
    await ready("a.dev", "b.dev");
    const next = start();
    await next.recover();
    await settled();
    await clock.advance(3_000);
    expect(
      next
        .status()[0]
        ?.machines.map(({ target }) => target)
        .sort(),
    ).toEqual(["a.dev", "b.dev"]);
    const again = ask("b.dev", undefined, next);
    await clock.until(() => again.settled, 20_000);
    expect(again.lease?.host).toBeDefined();
    expect(cloudOf("b.dev").machines).toHaveLength(1);
    // Nobody comes for the other one.
    await clock.until(() => running().length === 1, 300_000);
    expect(running()).toEqual(["b.dev"]);
  });

  it("goes on when it is defined anew, and its next machines are as it says then", async () => {
    const { ready, fleet, config, clock, running } = familyWorld();
    const [lease] = await ready("a.dev");
    fleet.reconfigure(config({ lingerMs: 60_000 }));
    lease?.release();
    await clock.advance(30_000);
    expect(running()).toEqual(["a.dev"]);
    fleet.reconfigure({ ...config(), targets: config().targets.slice(1) });
    await clock.until(() => running().length === 0, 20_000);
    await expect(fleet.acquire("a.dev", { connection: "c", client: "" }, never)).rejects.toMatchObject({
      code: "UNKNOWN_TARGET",
    });
  });

  it("that is taken out and put back has the machines again that are used, as it is defined then", async () => {
    const { ready, fleet, config, clock, running, cloudOf, ask } = familyWorld();
    const [lease] = await ready("a.dev");
    fleet.reconfigure({ ...config(), targets: config().targets.slice(1) });
    expect(fleet.status().map(({ name, machines }) => [name, machines.length])).toContainEqual(["a.dev", 1]);
    await clock.advance(90_000);
    fleet.reconfigure(config({ lingerMs: 60_000 }));
    const again = ask("a.dev");
    await clock.advance(1_000);
    expect(again.lease).toBeDefined();
    expect(cloudOf("a.dev").machines).toHaveLength(1);
    lease?.release();
    again.lease?.release();
    await clock.advance(30_000);
    expect(running()).toEqual(["a.dev"]);
    await clock.until(() => running().length === 0, 60_000);
  });

  it("is kept by hand name by name", async () => {
    const { fleet, clock, running } = familyWorld();
    const held = fleet.hold("a.dev", { forMs: undefined, lift: false, signal: never });
    await clock.until(() => running().length === 1, 20_000);
    await clock.advance(20_000);
    await held;
    const refused = fleet.hold("*.dev", { forMs: undefined, lift: false, signal: never });
    await expect(refused).rejects.toMatchObject({ code: "UNKNOWN_TARGET" });
    expect((await fleet.drop("a.dev", { cut: false })).machines).toHaveLength(1);
    await clock.until(() => running().length === 0, 20_000);
  });

  it("says in each event of which family a name is, so that it can be counted", async () => {
    const { ready, seen, fleet } = familyWorld();
    await ready("a.dev", "archiver");
    const states = seen.filter((event) => event.type === "machine.state");
    expect(new Set(states.map(({ target, family }) => `${target} ${family}`))).toEqual(
      new Set(["a.dev *.dev", "archiver undefined"]),
    );
    expect(["a.dev", "archiver", "nas-1", "none"].map((name) => fleet.familyOf(name))).toEqual([
      "*.dev",
      undefined,
      "nas-?",
      undefined,
    ]);
  });

  it("may be of one host for all names, with its ports", async () => {
    const { fleet } = familyWorld();
    const lease = await fleet.acquire("nas-1", { connection: "c", client: "" }, never);
    expect(lease.host).toBe("192.0.2.1");
    expect(fleet.portsOf("nas-1")).toEqual([22]);
    expect(fleet.portsOf("nas-12")).toBeUndefined();
  });

  it("remembers no more than a hundred names that have no machine", async () => {
    const { ready, fleet, clock, running, made } = familyWorld();
    for (let n = 0; n < 130; n += 10) {
      const names = Array.from({ length: 10 }, (_, m) => `n${n + m}.dev`);
      for (const lease of await ready(...names)) lease.release();
      await clock.until(() => running().length === 0, 20_000);
    }
    await clock.advance(10_000);
    await ready("n0.dev", "n125.dev");
    expect(["n0.dev", "n125.dev"].map((name) => made.filter((one) => one === name).length)).toEqual([2, 1]);
    expect(fleet.status()[0]?.machines).toHaveLength(2);
  }, 30_000);
});

describe("a user's max_machines", () => {
  it("refuses another machine in words, and not one that is there", async () => {
    const { ask, ready, clock, running } = familyWorld();
    await ready("c.dev");
    const user = alice(2);
    const first = [ask("a.dev", user), ask("b.dev", user), ask("a.dev", user)];
    await clock.until(() => first.every((one) => one.settled), 20_000);
    expect(first.every(({ lease }) => lease)).toBe(true);
    const third = ask("archiver", user);
    await clock.until(() => third.settled, 5_000);
    expect(third.error).toMatchObject({
      code: "LIMIT_REACHED",
      message:
        "archiver: alice uses 2 machines already (a.dev, b.dev), and max_machines of the user allows no more: leave one of them first",
    });
    // What others have may be shared.
    const shared = ask("c.dev", user);
    await clock.until(() => shared.settled, 5_000);
    expect(shared.lease).toBeDefined();
    expect(running()).toEqual(["a.dev", "b.dev", "c.dev"]);
    const other = ask("archiver", { ...user, name: "bob" });
    await clock.until(() => other.settled, 20_000);
    expect(other.lease).toBeDefined();
  });

  it("counts a machine as long as the user waits for it, or has it, and no longer", async () => {
    const { ask, clock } = familyWorld({ lingerMs: 60_000 });
    const user = alice(1);
    const first = ask("a.dev", user);
    await settled();
    const second = ask("b.dev", user);
    await clock.until(() => second.settled, 20_000);
    expect(second.error?.code).toBe("LIMIT_REACHED");
    await clock.until(() => first.settled, 20_000);
    first.lease?.release();
    const third = ask("b.dev", user);
    await clock.until(() => third.settled, 20_000);
    expect(third.lease).toBeDefined();
  });

  it("holds for the successor of a machine that is being ended, too", async () => {
    const { ask, ready, clock, running } = familyWorld();
    const [lease] = await ready("b.dev");
    const user = alice(1);
    const first = ask("a.dev", user);
    await clock.until(() => first.settled, 20_000);
    lease?.release();
    await settled();
    expect(running()).toContain("b.dev");
    const second = ask("b.dev", user);
    await clock.until(() => second.settled, 1_000);
    expect(second.error?.code).toBe("LIMIT_REACHED");
  });
});

describe("a target that is not there", () => {
  it.each([
    [alice(), 'there is no target "archivr": did you mean "archiver"? targets are: *.dev, archiver, nas-?'],
    [alice(1, (name) => name !== "archiver"), 'there is no target "archivr": targets are: *.dev, nas-?'],
    [alice(1, () => false), 'there is no target "archivr": no targets are open to alice'],
    [undefined, 'there is no target "archivr": did you mean "archiver"? targets are: *.dev, archiver, nas-?'],
  ])("is told of with the names that the user may know", async (user, message) => {
    const { ask } = familyWorld();
    const asked = ask("archivr", user);
    await settled();
    expect(asked.error).toMatchObject({ code: "UNKNOWN_TARGET", message });
  });

  it("is a family itself, which is not asked for, but a name of it", async () => {
    const { ask } = familyWorld();
    const asked = ask("*.dev");
    await settled();
    expect(asked.error?.message).toContain(
      "it is a family, ask for a name that matches it; targets are: *.dev",
    );
  });

  it("may be near to a name of a family that is used", async () => {
    const { ready, ask } = familyWorld();
    await ready("workbench.dev");
    const asked = ask("workbench-dev.");
    await settled();
    expect(asked.error?.message).toContain('did you mean "workbench.dev"?');
  });
});
