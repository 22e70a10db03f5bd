import fc from "fast-check";
import { expect, vi } from "vitest";
import type { Provider } from "../../src/providers/index.ts";
import type { Journal, Lease } from "../../src/targets/index.ts";
import { LazysshError } from "../../src/util/errors.ts";
import { dice } from "../harness/dice.ts";
import { type Between, memoryJournal, world } from "./world.ts";

/** What can go wrong with one call: before its effect, or after it, when only the answer is lost. */
const failures = {
  unreachable: () => new LazysshError("CLOUD_UNREACHABLE", "connection reset", { retryable: true }),
  throttled: () => new LazysshError("THROTTLED", "slow down", { retryable: true }),
  internal: () => new LazysshError("CLOUD_ERROR", "internal error", { retryable: true }),
  notFound: () => new LazysshError("MACHINE_NOT_FOUND", "not listed", { retryable: true }),
  capacity: () => new LazysshError("NO_CAPACITY", "no capacity"),
} as const;
type Failure = keyof typeof failures;

const transient: readonly Failure[] = ["unreachable", "throttled", "internal"];

/** Failures that EC2 gives to a call at all. */
const possible: Readonly<Record<string, readonly Failure[]>> = {
  create: [...transient, "capacity"],
  describe: [...transient, "notFound"],
  destroy: [...transient, "notFound"],
  rest: transient,
  start: transient,
  annotate: transient,
  attach: transient,
  find: transient,
  list: transient,
  volumesFree: transient,
};

const which = fc.nat(20);
const server = fc.nat(1);
const action = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("arrive" as const), server }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("leave" as const), which }) },
  {
    weight: 10,
    arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 8_000 }) }),
  },
  // Long enough for the leases of a server that is gone to run out.
  { weight: 1, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constant(400_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const), server }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("vanish" as const), server }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("kill" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("redefine" as const),
      server,
      as: fc.constantFrom("first" as const, "another" as const, "removed" as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("notice" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("port" as const), answers: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("weather" as const), percent: fc.constantFrom(0, 20, 60) }),
  },
);

export interface Schedule {
  readonly lingerMs: number;
  readonly stopMode: "terminate" | "stop";
  /** Decides, call by call, what goes wrong. */
  readonly luck: number;
  readonly actions: readonly (typeof action extends fc.Arbitrary<infer A> ? A : never)[];
}

export const schedule: fc.Arbitrary<Schedule> = fc.record({
  lingerMs: fc.constantFrom(0, 3_000),
  stopMode: fc.constantFrom("terminate" as const, "terminate" as const, "stop" as const),
  luck: fc.nat(2 ** 31 - 1),
  actions: fc.array(action, { minLength: 5, maxLength: 40, size: "max" }),
});

/** The object with every method called by way of `around`; what is not a method, and `remedy`, stays as it is. */
function intercept<T extends object>(
  what: T,
  around: (name: string, call: () => Promise<unknown>, args: readonly unknown[]) => Promise<unknown>,
): T {
  return new Proxy(what, {
    get(object, name) {
      const method = Reflect.get(object, name, object);
      if (typeof method !== "function" || name === "remedy") return method;
      return (...args: unknown[]) => around(String(name), () => method.apply(object, args), args);
    },
  });
}

export interface PlayOptions {
  /** Two make a group. */
  readonly servers: 1 | 2;
  /** A bug, put between the lifecycle and its cloud. */
  readonly sabotage?: (provider: Provider) => Provider;
}

const MOST_BEHIND_MS = 1_900;

const never = () => new Promise<never>(() => undefined);

/** Plays a schedule to its end, and then lets the sun shine: nothing may be left, and nothing may have gone wrong on the way. */
export async function play(
  { lingerMs, stopMode, luck, actions }: Schedule,
  options: PlayOptions,
): Promise<void> {
  const { servers: count, sabotage = (provider: Provider) => provider } = options;
  const roll = dice(luck);
  // The pauses between attempts are of random length: they too have to be the same in a replay.
  using _jitter = vi.spyOn(Math, "random").mockImplementation(dice(luck + 1));
  let percent = 20;

  const weather = (provider: Provider): Provider =>
    intercept(provider, async (name, call) => {
      const kinds = possible[name];
      if (!kinds) return call();
      // Lists of EC2 may be behind, by less than what is waited for between a note and a look at those of others.
      if (roll() * 200 < percent) cloud.lagMs = Math.floor(roll() * MOST_BEHIND_MS);
      const bad = roll() * 100 < percent;
      const kind = kinds[Math.floor(roll() * kinds.length)] ?? "internal";
      const after = roll() < 0.5 && !["capacity", "notFound", "throttled"].includes(kind);
      if (bad && !after) throw failures[kind]();
      const answer = await call();
      if (bad) throw failures[kind]();
      return answer;
    });

  const w = world(
    { lingerMs, stopMode, bootTimeoutMs: 30_000 },
    undefined,
    count === 2 ? { group: "g" } : {},
  );
  const { clock, cloud } = w;
  let endedUnderOthers = 0;
  const definitions = {
    first: {},
    another: { lingerMs: 3_000 - lingerMs, checkPort: 2_222 },
    removed: "removed",
  } as const;

  /** One server, over its restarts: a state directory, and at any time at most one process. */
  class Server {
    readonly name: string;
    readonly journal = memoryJournal();
    readonly leases = new Set<Lease>();
    readonly waiting = new Set<AbortController>();
    unanswered = 0;
    /** How its config file has the target. */
    #definition: Parameters<typeof w.config>[0] = {};
    /** Processes so far: what an earlier one still does no longer happens. */
    generation = 0;
    fleet: typeof w.fleet;

    constructor(name: string) {
      this.name = name;
      this.fleet = w.start(this.#surroundings(), {}, name);
    }

    /** Notices when this server ends a machine that another one has let clients to. */
    #watched(provider: Provider): Provider {
      return intercept(provider, async (name, call, [id]) => {
        const ends = name === "rest" || name === "destroy";
        const used = servers.some((other) => other !== this && present.has(other) && other.uses(id));
        if (ends && used && cloud.running.some((machine) => machine.id === id)) endedUnderOthers += 1;
        return call();
      });
    }

    #surroundings(): Between {
      const { generation } = this;
      const mortal = <T extends object>(what: T): T =>
        intercept(what, async (_, call) => {
          if (this.generation !== generation) return never();
          const answer = await call();
          return this.generation === generation ? answer : never();
        });
      return (provider) => ({
        provider: mortal(weather(this.#watched(sabotage(provider)))),
        journal: mortal<Journal>(this.journal),
      });
    }

    uses(id: unknown): boolean {
      const machines = this.fleet.status().flatMap((target) => target.machines);
      const its = machines.filter(({ machine }) => machine === id);
      return its.some(({ leases }) => leases.some(({ status }) => status === "held"));
    }

    /** With everything it had promised to anybody. */
    vanish(): void {
      this.generation += 1;
      this.leases.clear();
      this.waiting.clear();
      this.unanswered = 0;
    }

    async restart(): Promise<void> {
      this.vanish();
      this.fleet = w.start(this.#surroundings(), this.#definition, this.name);
      await this.fleet.recover();
    }

    /** Its config file is changed, and read again where it runs. */
    redefine(as: keyof typeof definitions): void {
      this.#definition = definitions[as];
      if (present.has(this)) this.fleet.reconfigure(w.config(this.#definition));
    }

    arrive(): void {
      const leaver = new AbortController();
      this.waiting.add(leaver);
      this.unanswered += 1;
      const { generation } = this;
      const current = () => this.generation === generation;
      this.fleet
        .acquire("archiver", w.tenant(), leaver.signal)
        .then(
          (lease) => {
            if (!current()) return;
            if (leaver.signal.aborted) return lease.release(); // both at once
            this.leases.add(lease);
            lease.signal.addEventListener("abort", () => this.leases.delete(lease));
          },
          () => undefined,
        )
        .finally(() => {
          this.waiting.delete(leaver);
          if (current()) this.unanswered -= 1;
        });
    }

    leaveAll(): void {
      for (const lease of this.leases) {
        this.leases.delete(lease);
        lease.release();
      }
      for (const leaver of [...this.waiting]) leaver.abort(new Error("left"));
    }
  }

  const servers = Array.from({ length: count }, (_, index) => new Server(`server-${index + 1}`));
  for (const { fleet } of servers) await fleet.recover();
  const serverOf = (index: number): Server => servers[index % count] as Server;
  const present = new Set(servers);

  const holds = () => {
    expect(cloud.mostRunning).toBeLessThanOrEqual(1);
    expect(cloud.mostAttached).toBeLessThanOrEqual(1);
    expect(cloud.cutOff).toBe(0);
    expect(endedUnderOthers).toBe(0);
  };

  for (const step of actions) {
    switch (step.do) {
      case "arrive":
        if (present.has(serverOf(step.server))) serverOf(step.server).arrive();
        break;
      case "leave": {
        const held = servers.flatMap((one) => [...one.leases].map((lease) => ({ one, lease })))[step.which];
        if (held) {
          held.one.leases.delete(held.lease);
          held.lease.release();
        } else servers.flatMap(({ waiting }) => [...waiting])[step.which]?.abort(new Error("left"));
        break;
      }
      case "wait":
        await clock.advance(step.ms);
        break;
      case "crash":
        present.add(serverOf(step.server));
        await serverOf(step.server).restart();
        break;
      case "vanish": // for good, unless a later crash brings it back; somebody has to be there at the end
        if (present.size < 2) break;
        present.delete(serverOf(step.server));
        serverOf(step.server).vanish();
        break;
      case "redefine":
        serverOf(step.server).redefine(step.as);
        break;
      case "kill":
        cloud.kill("Server.SpotInstanceTermination");
        break;
      case "notice":
        for (const machine of cloud.running) machine.notice = "it is taken back in two minutes";
        break;
      case "port":
        w.port.answers = step.answers;
        break;
      case "weather":
        percent = step.percent;
    }
    holds();
  }

  percent = 0;
  w.port.answers = true;
  for (const one of servers) {
    one.redefine("first");
    one.leaveAll();
  }
  const settled = () =>
    cloud.running.length === 0 &&
    (stopMode === "stop" || (cloud.volumeFree && cloud.resting.length === 0)) &&
    [...present].every(
      ({ journal, unanswered }) =>
        [...journal.records.values()].every(({ rests }) => rests) && unanswered === 0,
    );
  await clock.until(settled, 1_800_000);
  holds();
  expect(cloud.resting.length).toBeLessThanOrEqual(stopMode === "stop" ? 1 : 0);

  // And it still works, from each of them.
  for (const { fleet } of present) {
    const asked = w.ask({ from: fleet });
    await clock.until(() => asked.settled, 240_000);
    expect(asked.error).toBeUndefined();
    asked.lease?.release();
  }
  await clock.until(() => cloud.running.length === 0, 120_000);
  holds();
}
