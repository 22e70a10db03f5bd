import { beforeEach, describe, expect, it } from "vitest";
import type { Stage, Targets, Tenant, Traffic } from "../../src/targets/lease.ts";
import { LazysshError } from "../../src/util/errors.ts";
import { createDesk, type Desk } from "../../src/workers/desk.ts";
import { createRemote, type Remote } from "../../src/workers/remote.ts";
import { fakeMachines, readyTarget } from "../harness/by-hand.ts";
import { SimClock } from "../harness/sim-clock.ts";

/** A lease that the owner of machines has given. */
interface Given {
  readonly target: string;
  readonly tenant: Tenant;
  readonly taken: AbortController;
  released: boolean;
  traffic: () => Traffic;
}

const STAGE: Stage = {
  state: "launching",
  summary: "t4g.nano",
  machine: undefined,
  waitingFor: undefined,
  unfit: undefined,
};

let clock: SimClock;
let given: Given[];
/** What a start waits for. */
let boot: (tenant: Tenant, signal: AbortSignal) => Promise<void>;
let remote: Remote;
let desk: Desk;
const machines = fakeMachines([readyTarget(0)]);

/** Whatever is said is copied and comes a little later, in order. */
const wire = <T>(to: () => (message: T) => void) => {
  let last = Promise.resolve();
  return (message: T) => {
    const copy = structuredClone(message);
    last = last.then(() => to()(copy));
  };
};

beforeEach(() => {
  clock = new SimClock();
  given = [];
  boot = () => Promise.resolve();
  const targets: Targets = {
    names: [],
    familyOf: () => undefined,
    portsOf: () => undefined,
    async acquire(target, tenant, signal) {
      await boot(tenant, signal);
      signal.throwIfAborted();
      const taken = new AbortController();
      const lease: Given = {
        target,
        tenant,
        taken,
        released: false,
        traffic: () => ({ total: 0, fromMachine: 0 }),
      };
      given.push(lease);
      const release = () => {
        lease.released = true;
      };
      return {
        host: "10.0.0.7",
        portMap: new Map([[22, 10_022]]),
        signal: taken.signal,
        release,
        carries: (traffic) => {
          lease.traffic = traffic;
        },
        stillRuns: async () => target !== "dead",
        [Symbol.asyncDispose]: async () => release(),
      };
    },
  };
  desk = createDesk({ targets, controls: machines, send: wire(() => remote.receive) });
  const addresses = [
    { name: "archiver", ports: [22] },
    { name: "*.dev", ports: undefined },
  ];
  remote = createRemote({ addresses, send: wire(() => desk.receive), clock });
});

const ALICE: Tenant = {
  connection: "c1",
  client: "192.0.2.7:1",
  user: {
    name: "alice",
    maxMachines: 2,
    sees: () => false,
    reach: { targets: ["arch*"], permitOpen: [{ host: "*", port: 22 }] },
  },
};
const forever = new AbortController().signal;
const settled = async () => {
  for (let n = 0; n < 20; n++) await Promise.resolve();
};

describe("a machine that another process has", () => {
  it("is leased for who it is, with what that one may see, and with its stages told", async () => {
    boot = async ({ told }) => told?.(STAGE);
    const stages: Stage[] = [];
    const lease = await remote.targets.acquire(
      "archiver",
      { ...ALICE, told: (s) => stages.push(s) },
      forever,
    );
    expect([lease.host, stages]).toEqual(["10.0.0.7", [STAGE]]);
    const user = given[0]?.tenant.user;
    expect([user?.name, user?.maxMachines]).toEqual(["alice", 2]);
    expect(["archiver", "db"].map((name) => user?.sees(name))).toEqual([true, false]);
    lease.release();
    lease.release();
    await settled();
    expect(given[0]?.released).toBe(true);
  });

  it("is refused with the code and the words that the owner has for it", async () => {
    boot = () => Promise.reject(new LazysshError("NO_CAPACITY", "none left", { retryable: true }));
    const refused = remote.targets.acquire("archiver", ALICE, forever);
    await expect(refused).rejects.toMatchObject({
      code: "NO_CAPACITY",
      message: "none left",
      retryable: true,
    });
  });

  it("is given up by who does not wait for it any more, and at once there", async () => {
    let reason: unknown;
    boot = (_, signal) =>
      new Promise((_resolve, reject) =>
        signal.addEventListener("abort", () => {
          ({ reason } = signal);
          reject(signal.reason);
        }),
      );
    const leaves = new AbortController();
    const waits = remote.targets.acquire("archiver", ALICE, leaves.signal);
    await settled();
    const gone = new LazysshError("BOOT_CANCELLED", "the client left");
    leaves.abort(gone);
    await expect(waits).rejects.toBe(gone);
    await settled();
    expect(reason).toMatchObject({ code: "BOOT_CANCELLED", message: "the client left" });
  });

  it("that is granted at the moment when nobody waits any more is given back", async () => {
    let grant = (): void => undefined;
    boot = () =>
      new Promise((resolve) => {
        grant = resolve;
      });
    const leaves = new AbortController();
    const waits = remote.targets.acquire("archiver", ALICE, leaves.signal);
    await settled();
    grant();
    leaves.abort(new LazysshError("BOOT_CANCELLED", "the client left"));
    await expect(waits).rejects.toThrow("the client left");
    await settled();
    expect(given.every(({ released }) => released)).toBe(true);
  });

  it("that is taken away ends the lease with the reason, also at once", async () => {
    const lease = await remote.targets.acquire("archiver", ALICE, forever);
    given[0]?.taken.abort(new LazysshError("MACHINE_DIED", "it is gone"));
    await settled();
    expect(lease.signal.reason).toMatchObject({ code: "MACHINE_DIED", message: "it is gone" });
    lease.release();
    expect(await lease.stillRuns()).toBe(false);
  });

  it("is asked whether it runs", async () => {
    const [well, dead] = await Promise.all(
      ["archiver", "dead"].map((name) => remote.targets.acquire(name, ALICE, forever)),
    );
    expect([await well?.stillRuns(), await dead?.stillRuns()]).toEqual([true, false]);
  });

  it("is known to carry what it does, a second later at most, and at its end", async () => {
    const lease = await remote.targets.acquire("archiver", ALICE, forever);
    let traffic = { total: 5, fromMachine: 3 };
    lease.carries(() => traffic);
    await clock.advance(1_000);
    await settled();
    expect(given[0]?.traffic()).toEqual(traffic);
    traffic = { total: 9, fromMachine: 4 };
    lease.release();
    await settled();
    expect([given[0]?.traffic(), given[0]?.released]).toEqual([traffic, true]);
  });

  it("is given back when the process that leased it has died, and who still waited is forgotten", async () => {
    const lease = await remote.targets.acquire("archiver", ALICE, forever);
    lease.carries(() => ({ total: 5, fromMachine: 3 }));
    await clock.advance(1_000);
    let aborted = false;
    boot = (_, signal) => new Promise(() => signal.addEventListener("abort", () => (aborted = true)));
    void remote.targets.acquire("archiver", ALICE, forever).catch(() => undefined);
    await settled();
    const carried = desk.close("a crash");
    expect(carried).toEqual([{ connection: "c1", target: "archiver", total: 5, fromMachine: 3 }]);
    expect([given[0]?.released, aborted]).toEqual([true, true]);
  });
});

it("which targets there are is known without asking, families too, and without any secret", () => {
  const { targets } = remote;
  expect([targets.names, targets.portsOf("archiver"), targets.portsOf("x.dev")]).toEqual([
    ["archiver", "*.dev"],
    [22],
    undefined,
  ]);
  expect(["archiver", "x.dev", "nothing"].map(targets.familyOf)).toEqual([undefined, "*.dev", undefined]);
  remote.redefine([]);
  expect(targets.names).toEqual([]);
});

it("people see and do by hand what the owner's controls do", async () => {
  const { controls } = remote;
  expect(await controls.status()).toEqual(machines.targets);
  const stages: Stage[] = [];
  machines.boot = async ({ by }) => by?.told?.(STAGE);
  const by = { ...ALICE, told: (stage: Stage) => stages.push(stage) };
  await controls.hold("archiver", { forMs: 5, lift: false, signal: forever, by });
  expect([machines.asked.at(-1), stages]).toEqual([{ hold: "archiver", forMs: 5, lift: false }, [STAGE]]);
  expect(await controls.drop("archiver", { cut: true })).toEqual({ machines: [], kept: [] });
  await expect(controls.drop("nothing", { cut: true })).rejects.toMatchObject({ code: "UNKNOWN_TARGET" });
  expect(await controls.volumes("archiver", forever)).toEqual([]);
});
