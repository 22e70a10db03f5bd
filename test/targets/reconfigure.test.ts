import { describe, expect, it } from "vitest";
import { settled } from "../harness/sim-clock.ts";
import { SimProvider } from "../harness/sim-provider.ts";
import { world } from "./world.ts";

type World = ReturnType<typeof world>;

/** A lease of a machine that is ready. */
async function connected({ ask, clock }: World) {
  const asked = ask();
  await clock.until(() => asked.lease !== undefined, 20_000);
  return asked;
}

describe("a target that is defined anew", () => {
  it("keeps the machine that is in use, has who comes join it, and is as it is defined from the next one on", async () => {
    const w = world();
    const first = await connected(w);
    w.fleet.reconfigure(w.config({ checkPort: 2222, lingerMs: 60_000 }));
    const second = w.ask();
    await settled();
    expect(second.lease?.host).toBe("10.0.0.1");
    expect(w.cloud.machines).toHaveLength(1);
    expect(first.lease?.signal.aborted).toBe(false);
    first.lease?.release();
    second.lease?.release();
    await w.clock.advance(59_000); // the new linger
    expect(w.cloud.running).toHaveLength(1);
    await w.clock.until(w.quiet, 10_000);
    const third = await connected(w);
    expect(third.lease).toBeDefined();
    expect(w.cloud.machines).toHaveLength(2);
    expect([...new Set(w.port.asked)]).toEqual([22, 2222]);
    expect(w.cloud.mostRunning).toBe(1);
  });

  it("starts the machine that is waited for while the one before is ended as it is defined now", async () => {
    const w = world();
    (await connected(w)).lease?.release();
    const waiting = w.ask();
    w.fleet.reconfigure(w.config({ checkPort: 2222 }));
    await w.clock.until(() => waiting.lease !== undefined, 30_000);
    expect(w.port.asked.at(-1)).toBe(2222);
    expect(w.cloud.mostRunning).toBe(1);
  });

  it("begins anew for those who wait for what is not ordered yet", async () => {
    const w = world();
    w.cloud.fault = async (verb, call) => {
      if (verb === "volumesFree" && call === 1) await new Promise(() => undefined); // a volume that never is free
    };
    const waiting = w.ask();
    await w.clock.advance(5_000);
    w.fleet.reconfigure(w.config({ checkPort: 2222 }));
    await w.clock.until(() => waiting.lease !== undefined, 10_000);
    expect(w.cloud.machines).toHaveLength(1);
    expect(w.port.asked).toEqual([2222]);
  });

  it("does not hold a start back for what failed as it was defined before", async () => {
    const w = world();
    w.cloud.fault = (verb) => {
      if (verb === "create") throw new Error("no such image");
    };
    for (let failures = 0; failures < 6; failures++) {
      const asked = w.ask();
      await w.clock.until(() => asked.settled, 60_000);
    }
    w.cloud.fault = () => undefined;
    w.fleet.reconfigure(w.config({ checkPort: 2222 }));
    const before = w.clock.now();
    await connected(w);
    expect(w.clock.now() - before).toBeLessThan(10_000);
  });

  it("keeps its ways with a machine for each connection until those there are have ended", async () => {
    const w = world({ attachVolumes: [] });
    const first = await connected(w);
    w.fleet.reconfigure(w.config({ shared: false }));
    const second = w.ask();
    await settled();
    expect(second.lease?.host).toBe("10.0.0.1");
    first.lease?.release();
    second.lease?.release();
    await w.clock.until(() => w.cloud.running.length === 0 && w.cloud.volumeFree, 20_000);
    await w.clock.advance(5_000);
    const who = w.tenant();
    const third = w.ask({ who });
    const fourth = w.ask({ who: w.tenant() });
    await w.clock.until(() => third.lease !== undefined || fourth.lease !== undefined, 60_000);
    expect(w.fleet.status()[0]?.machines).toHaveLength(2);
  });

  it("is left as it is when it is the same", async () => {
    const w = world({ lingerMs: 60_000 });
    (await connected(w)).lease?.release();
    w.fleet.reconfigure(w.config());
    await w.clock.advance(50_000);
    expect(w.cloud.running).toHaveLength(1);
  });
});

describe("a target that is not configured any more", () => {
  it("lets nobody in, and loses its machine when the last who has it leaves", async () => {
    const w = world({ lingerMs: 3_600_000 });
    const first = await connected(w);
    w.fleet.reconfigure(w.config("removed"));
    const second = w.ask();
    await settled();
    expect(second.error).toMatchObject({ code: "UNKNOWN_TARGET", message: expect.stringContaining("home") });
    expect(w.fleet.names).toEqual(["home"]);
    await w.clock.advance(600_000); // looks at the cloud ten times
    expect(first.lease?.signal.aborted).toBe(false);
    expect(w.fleet.status()).toMatchObject([
      { name: "home" },
      { name: "archiver", type: "sim", machines: [{ state: "ready" }] },
    ]);
    first.lease?.release();
    await w.clock.until(w.quiet, 10_000);
    await settled();
    expect(w.fleet.status()).toHaveLength(1);
    expect(w.journal.records.size).toBe(0);
  });

  it("loses a machine that lingers at once", async () => {
    const w = world({ lingerMs: 3_600_000 });
    (await connected(w)).lease?.release();
    await settled();
    w.fleet.reconfigure(w.config("removed"));
    await w.clock.until(w.quiet, 10_000);
  });

  it("goes on with the start that somebody waits for, but not with one that has not begun", async () => {
    const w = world();
    const begun = w.ask();
    await w.clock.until(() => w.cloud.machines.length === 1, 5_000);
    w.fleet.reconfigure(w.config("removed"));
    await w.clock.until(() => begun.lease !== undefined, 20_000);
    w.fleet.reconfigure(w.config());
    begun.lease?.release();
    const next = w.ask();
    await w.clock.advance(100);
    w.fleet.reconfigure(w.config("removed"));
    await settled();
    expect(next.error?.code).toBe("UNKNOWN_TARGET");
    await w.clock.until(w.quiet, 20_000);
    expect(w.cloud.machines).toHaveLength(1);
  });

  it("can be stopped by hand as long as it has a machine, and not be started", async () => {
    const w = world();
    const first = await connected(w);
    w.fleet.reconfigure(w.config("removed"));
    const signal = new AbortController().signal;
    const hold = w.fleet.hold("archiver", {
      forMs: undefined,
      lift: false,
      signal,
      onWaiting: () => undefined,
    });
    await expect(hold).rejects.toMatchObject({ code: "UNKNOWN_TARGET" });
    expect(await w.fleet.drop("archiver", { cut: true })).toMatchObject({ kept: [] });
    expect(first.lease?.signal.reason).toMatchObject({ code: "ENDED_BY_HAND" });
    await w.clock.until(w.quiet, 10_000);
    await settled();
    await expect(w.fleet.drop("archiver", { cut: true })).rejects.toMatchObject({ code: "UNKNOWN_TARGET" });
  });

  it("that is put back has its machine again", async () => {
    const w = world();
    const first = await connected(w);
    w.fleet.reconfigure(w.config("removed"));
    await w.clock.advance(90_000);
    w.fleet.reconfigure(w.config());
    const second = await connected(w);
    expect(second.lease?.host).toBe(first.lease?.host);
    expect(w.cloud.machines).toHaveLength(1);
  });

  it("has what was left of it taken up when it is put back after a start without it", async () => {
    const w = world();
    await connected(w);
    const later = w.start(undefined, "removed"); // as after a crash
    await later.recover();
    await w.clock.advance(200_000);
    expect(w.cloud.running).toHaveLength(1); // nobody is in the same cloud
    later.reconfigure(w.config());
    await w.clock.until(w.quiet, 60_000);
    expect(w.cloud.mostRunning).toBe(1);
  });

  it("has strays looked for where it was, and ended there", async () => {
    const w = world();
    (await connected(w)).lease?.release();
    await w.clock.until(w.quiet, 10_000);
    w.regions.set("eu-north-1", new SimProvider(w.clock));
    w.fleet.reconfigure(w.config({ region: "eu-north-1" }));
    await w.cloud.create({ token: "late", alternative: 0, notes: {} });
    expect(w.cloud.running).toHaveLength(1);
    await w.clock.until(w.quiet, 200_000);
    expect(w.seen).toContainEqual({
      type: "server.warning",
      reason: expect.stringMatching(/target "archiver" runs and nobody looks after it/),
    });
  });
});
