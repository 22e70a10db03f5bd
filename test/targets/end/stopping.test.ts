import { describe, expect, it } from "vitest";
import type { AwsEc2Target } from "../../../src/config/index.ts";
import { LazysshError } from "../../../src/util/errors.ts";
import { world } from "../world.ts";

const beforeStop: AwsEc2Target["beforeStop"] = {
  commands: [["zpool", "export", "backup"], ["sync"]],
  user: "root",
  privateKey: "secret",
  hostKey: undefined,
  timeoutMs: 60_000,
};

/** Nothing is left to be done: what is written down is at rest. */
const settled = ({ journal }: ReturnType<typeof world>) =>
  [...journal.records.values()].every(({ rests }) => rests);

async function usedOnce(w: ReturnType<typeof world>) {
  const asked = w.ask();
  await w.clock.until(() => asked.settled, 30_000);
  expect(asked.error).toBeUndefined();
  asked.lease?.release();
}

describe("the end of a machine with a volume", () => {
  it("begins with the operating system: it is terminated when it has shut down", async () => {
    const w = world();
    await usedOnce(w);
    await w.clock.until(w.quiet, 30_000);
    const verbs = w.cloud.calls.filter((verb) => verb === "rest" || verb === "destroy");
    expect(verbs).toEqual(["rest", "destroy"]);
    expect(w.cloud.cutOff).toBe(0);
  });

  it("terminates one that cannot be shut down by itself, or may not be, which is told", async () => {
    const spot = world();
    spot.cloud.canRest = false;
    await usedOnce(spot);
    await spot.clock.until(spot.quiet, 30_000);
    expect(spot.seen.map(({ type }) => type)).not.toContain("server.warning");

    const forbidden = world();
    forbidden.cloud.fault = (verb) => {
      if (verb === "rest") throw new LazysshError("NOT_PERMITTED", "not allowed: ec2:StopInstances");
    };
    await usedOnce(forbidden);
    await forbidden.clock.until(forbidden.quiet, 30_000);
    expect(forbidden.seen).toContainEqual({
      type: "server.warning",
      reason: expect.stringContaining("ec2:StopInstances"),
    });
  });

  it("does not wait for ever for one that does not shut down", async () => {
    const w = world();
    w.cloud.restMs = 100 * 3_600_000;
    await usedOnce(w);
    await w.clock.until(w.quiet, 20 * 60_000);
    expect(w.seen).toContainEqual({
      type: "server.warning",
      reason: expect.stringContaining("has not shut down in 10 minutes"),
    });
  });

  it("does not shut down what had no volume yet: the boot that nobody waits for is cancelled at once", async () => {
    const w = world();
    const leaver = new AbortController();
    w.ask({ signal: leaver.signal });
    await w.clock.until(() => w.cloud.machines.length === 1, 5_000);
    leaver.abort(new Error("gone"));
    await w.clock.until(w.quiet, 10_000);
    expect(w.cloud.calls).not.toContain("rest");
  });
});

describe("before_stop", () => {
  it("runs its commands, in order, before anything is done to the machine", async () => {
    const w = world({ beforeStop });
    await usedOnce(w);
    w.cloud.fault = (verb) => {
      if (verb === "rest") expect(w.remote.commands).toEqual(["zpool export backup", "sync"]);
    };
    await w.clock.until(w.quiet, 30_000);
    expect(w.remote.commands).toEqual(["zpool export backup", "sync"]);
    expect(w.seen).toContainEqual(expect.objectContaining({ type: "machine.before_stop", machine: "i-1" }));
  });

  it("tries again a command that fails, within its time", async () => {
    const w = world({ beforeStop });
    await usedOnce(w);
    w.remote.fails = new LazysshError("BEFORE_STOP_FAILED", "pool is busy");
    await w.clock.advance(10_000);
    expect(w.remote.commands.length).toBeGreaterThan(2);
    w.remote.fails = undefined;
    await w.clock.until(w.quiet, 30_000);
    expect(w.seen.map(({ type }) => type)).toContain("machine.before_stop");
  });

  it("says as loudly as can be that it failed, with what to do, and then the machine is ended all the same", async () => {
    const w = world({ beforeStop });
    await usedOnce(w);
    w.remote.fails = new LazysshError("BEFORE_STOP_FAILED", "pool is busy");
    await w.clock.until(w.quiet, 120_000);
    expect(w.seen).toContainEqual({
      type: "machine.before_stop_failed",
      target: "archiver",
      machine: "i-1",
      reason: expect.stringMatching(
        /not done within 1m: pool is busy; the machine is shut down all the same/,
      ),
      remedy: expect.stringContaining("end i-1 by hand"),
    });
    expect(w.cloud.cutOff).toBe(0);
  });

  it("runs for a machine that a crashed server has left, too", async () => {
    const w = world({ beforeStop });
    const asked = w.ask();
    await w.clock.until(() => asked.settled, 30_000);
    await w.start().recover();
    await w.clock.until(w.quiet, 120_000);
    expect(w.remote.commands).toEqual(["zpool export backup", "sync"]);
  });
});

describe("stop_mode", () => {
  it("keeps the machine at rest, and starts the same one for who comes next", async () => {
    const w = world({ stopMode: "stop" });
    await usedOnce(w);
    await w.clock.until(() => w.cloud.running.length === 0, 30_000);
    expect(w.cloud.resting).toHaveLength(1);
    await w.clock.until(() => settled(w), 5_000);
    await usedOnce(w);
    await w.clock.until(() => w.cloud.running.length === 0, 30_000);
    expect(w.cloud.machines).toHaveLength(1);
    expect(w.cloud.calls.filter((verb) => verb === "start")).toHaveLength(1);
    expect(w.cloud.calls).not.toContain("destroy");
  });

  it("leaves it at rest over restarts of the server, and ends it once the target is to be terminated", async () => {
    const w = world({ stopMode: "stop" });
    await usedOnce(w);
    await w.clock.until(() => settled(w), 30_000);
    const same = w.start();
    await same.recover();
    const asked = w.ask({ from: same });
    await w.clock.until(() => asked.settled, 30_000);
    asked.lease?.release();
    await w.clock.until(() => w.cloud.running.length === 0, 30_000);
    await w.clock.advance(600_000);
    expect(w.cloud.resting).toHaveLength(1);

    const changed = w.start(undefined, { stopMode: "terminate" });
    const again = w.ask({ from: changed });
    await w.clock.until(() => again.settled, 30_000);
    expect(again.error).toBeUndefined();
    expect(w.cloud.resting).toEqual([]);
    expect(w.cloud.machines).toHaveLength(2);
    expect(w.cloud.mostAttached).toBe(1);
  });

  it("keeps one at the most, and terminates one whose start failed", async () => {
    const w = world({ stopMode: "stop" });
    await usedOnce(w);
    await w.clock.until(() => settled(w), 30_000);
    w.port.answers = false;
    const asked = w.ask();
    await w.clock.until(() => asked.settled, 200_000);
    expect(asked.error).toMatchObject({ code: "BOOT_TIMEOUT" });
    await w.clock.until(() => w.cloud.running.length === 0 && settled(w), 60_000);
    expect(w.cloud.resting).toEqual([]);
    w.port.answers = true;
    for (const token of ["one", "two"]) {
      const { id } = await w.cloud.create({ token, alternative: 0, notes: {} });
      await w.cloud.rest(id);
    }
    await w.clock.advance(2_000);
    await usedOnce(w);
    await w.clock.until(() => w.cloud.running.length === 0 && settled(w), 60_000);
    expect(w.cloud.resting).toHaveLength(1);
  });
});

describe("alternatives", () => {
  it("are ordered in their order until there is capacity, each with a token of its own", async () => {
    const w = world();
    w.cloud.alternatives = ["t4g.nano (spot)", "t4g.micro (spot)", "t4g.nano"];
    w.cloud.soldOut = new Set([0, 1]);
    const asked = w.ask();
    await w.clock.until(() => asked.settled, 20_000);
    expect(asked.error).toBeUndefined();
    expect(w.cloud.machines.map(({ alternative }) => alternative)).toEqual([2]);
    expect(w.seen).toContainEqual(
      expect.objectContaining({
        waitingFor: "an order of t4g.nano: there is no capacity for t4g.nano (spot), t4g.micro (spot)",
      }),
    );
  });

  it("are at an end when there is capacity for none, and the cause is told", async () => {
    const w = world();
    w.cloud.alternatives = ["a", "b"];
    w.cloud.soldOut = new Set([0, 1]);
    const asked = w.ask();
    await w.clock.until(() => asked.settled, 20_000);
    expect(asked.error).toMatchObject({ code: "NO_CAPACITY" });
    expect(w.cloud.machines).toEqual([]);
    expect(w.journal.records.size).toBe(0);
  });
});

describe("notes", () => {
  it("say from the order on until when the machine is needed, and are renewed while it is", async () => {
    const w = world({ lingerMs: 600_000 });
    const asked = w.ask();
    await w.clock.until(() => w.cloud.machines.length === 1, 5_000);
    const expires = () => Date.parse(w.cloud.machines[0]?.notes.expires ?? "");
    expect(expires()).toBeGreaterThan(w.clock.now() + 60_000);
    await w.clock.until(() => asked.settled, 20_000);
    for (let minute = 0; minute < 30; minute++) {
      await w.clock.advance(60_000);
      expect(expires()).toBeGreaterThan(w.clock.now() + 120_000);
      if (minute === 20) asked.lease?.release();
    }
    await w.clock.until(w.quiet, 120_000);
  });

  it("that may not be written are told of once, and change nothing else", async () => {
    const w = world();
    w.cloud.fault = (verb) => {
      if (verb === "annotate") throw new LazysshError("NOT_PERMITTED", "not allowed: ec2:CreateTags");
    };
    const asked = w.ask();
    await w.clock.until(() => asked.settled, 20_000);
    await w.clock.advance(3_600_000);
    expect(w.seen.filter(({ type }) => type === "server.warning")).toHaveLength(1);
    asked.lease?.release();
    await w.clock.until(w.quiet, 20_000);
  });
});
