import { describe, expect, it } from "vitest";
import { LazysshError } from "../../src/util/errors.ts";
import { settled } from "../harness/sim-clock.ts";
import { world } from "./world.ts";

describe("fleet", () => {
  it("starts one machine for twenty clients at once and answers all of them", async () => {
    const { ask, clock, cloud } = world();
    const asked = Array.from({ length: 20 }, () => ask());
    await clock.until(() => asked.every(({ lease }) => lease?.host === "10.0.0.1"), 10_000);
    expect(cloud.machines).toHaveLength(1);
    expect(cloud.calls.filter((call) => call === "create")).toHaveLength(1);
  });

  it("stops the machine when the last of them has left, not before", async () => {
    const { ask, clock, cloud, quiet } = world();
    const [first, second] = [ask(), ask()];
    await clock.until(() => first.settled && second.settled, 10_000);
    first.lease?.release();
    first.lease?.release();
    await clock.advance(30_000);
    expect(cloud.running).toHaveLength(1);
    second.lease?.release();
    await clock.until(quiet, 5_000);
    expect(cloud.calls).toContain("destroy");
  });

  it("keeps the machine for the linger time and gives it to who comes back", async () => {
    const { ask, clock, cloud, quiet } = world({ lingerMs: 60_000 });
    const first = ask();
    await clock.until(() => first.settled, 10_000);
    first.lease?.release();
    await clock.advance(59_000);
    const second = ask();
    await settled();
    expect(second.lease?.host).toBe("10.0.0.1");
    expect(cloud.machines).toHaveLength(1);
    second.lease?.release();
    await clock.advance(59_000);
    expect(cloud.running).toHaveLength(1);
    await clock.until(quiet, 5_000);
  });

  it("gives who comes back while the machine is being stopped a new one, after the volume is free", async () => {
    const { ask, clock, cloud } = world();
    const first = ask();
    await clock.until(() => first.settled, 10_000);
    first.lease?.release();
    await clock.advance(500);
    expect(cloud.running).toHaveLength(1);
    const second = ask();
    await clock.until(() => second.settled, 20_000);
    expect(second.lease).toBeDefined();
    expect(cloud.machines).toHaveLength(2);
    expect(cloud.mostRunning).toBe(1);
    expect(cloud.mostAttached).toBe(1);
  });

  it("gives each connection a machine of its own with shared = false, and its channels the same one", async () => {
    const { ask, clock, cloud, tenant } = world({ shared: false, attachVolumes: [] });
    const who = tenant();
    const asked = [ask({ who }), ask({ who }), ask()];
    await clock.advance(200_000);
    // The volume of the simulated cloud lets only one of them run at a time.
    const granted = asked.filter(({ lease }) => lease);
    expect(granted.length).toBeGreaterThanOrEqual(2);
    expect(asked[0]?.lease && asked[1]?.lease).toBeTruthy();
    expect(cloud.mostAttached).toBe(1);
  });

  it("cancels the start and ends the machine when its last waiter leaves", async () => {
    const { ask, clock, cloud, quiet } = world();
    const leaver = new AbortController();
    const asked = ask({ signal: leaver.signal });
    await clock.until(() => cloud.machines.length === 1, 5_000);
    leaver.abort(new Error("client gone"));
    await clock.until(() => quiet() && asked.settled, 10_000);
    expect(asked.error?.message).toBe("client gone");
  });

  it("orders nothing when the waiter leaves before the order", async () => {
    const { ask, clock, cloud } = world();
    cloud.fault = async (verb) => {
      if (verb === "volumesFree") await clock.sleep(1_000);
    };
    const leaver = new AbortController();
    ask({ signal: leaver.signal });
    await clock.advance(500);
    leaver.abort(new Error("client gone"));
    await clock.advance(30_000);
    expect(cloud.machines).toHaveLength(0);
  });

  it("tells every waiter and the log the cause when the cloud refuses, and works again afterwards", async () => {
    const { ask, clock, cloud, seen } = world();
    cloud.fault = (verb, call) => {
      if (verb === "create" && call === 1) throw new LazysshError("NO_CAPACITY", "no t4g.nano in us-west-2d");
    };
    const asked = [ask(), ask()];
    await clock.until(() => asked.every((each) => each.settled), 5_000);
    for (const { error } of asked) expect(error?.message).toContain("no t4g.nano in us-west-2d");
    expect(seen.filter(({ type }) => type === "machine.failed")).toMatchObject([
      { target: "archiver", code: "NO_CAPACITY", reason: "no t4g.nano in us-west-2d" },
    ]);
    const again = ask();
    await clock.until(() => again.lease !== undefined, 10_000);
  });

  it("names all that there was no capacity for when nothing is left to be tried", async () => {
    const { ask, clock, cloud } = world();
    cloud.alternatives = ["spot c7g", "spot c6g", "c7g"];
    cloud.soldOut = new Set([0, 1, 2]);
    const asked = ask();
    await clock.until(() => asked.settled, 10_000);
    expect(asked.error).toMatchObject({
      code: "NO_CAPACITY",
      message: "no capacity; nor was there capacity for spot c7g, spot c6g",
    });
    expect(cloud.machines).toHaveLength(0);
  });

  it("ends the one machine of an order whose answer was lost, and never orders a second one meanwhile", async () => {
    const { ask, clock, cloud, quiet } = world();
    cloud.lost = () => {
      throw new LazysshError("CLOUD_UNREACHABLE", "connection reset", { retryable: true });
    };
    const asked = ask();
    await clock.until(() => asked.settled, 70_000);
    expect(asked.error?.code).toBe("BOOT_TIMEOUT");
    await clock.until(quiet, 70_000);
    expect(cloud.machines).toHaveLength(1);
  });

  it("goes on with the same machine when only the first answer was lost", async () => {
    const { ask, clock, cloud } = world();
    cloud.lost = (_, call) => {
      if (call === 1) throw new LazysshError("CLOUD_UNREACHABLE", "connection reset", { retryable: true });
    };
    const asked = ask();
    await clock.until(() => asked.settled, 20_000);
    expect(asked.lease).toBeDefined();
    expect(cloud.machines).toHaveLength(1);
  });

  it("gives up within the boot timeout on a port that never answers, says what it waited for, and ends the machine", async () => {
    const { ask, clock, cloud, quiet, port } = world({ bootTimeoutMs: 30_000 });
    port.delayMs = 3_600_000;
    const asked = ask();
    await clock.until(() => asked.settled, 31_000);
    expect(asked.error?.code).toBe("BOOT_TIMEOUT");
    expect(asked.error?.message).toBe(
      "archiver: machine i-1: it was not ready within 30 s (waiting for: 10.0.0.1:22 refuses connections)",
    );
    await clock.until(quiet, 5_000);
    expect(cloud.machines).toHaveLength(1);
  });

  it("fails the start of a machine that dies while it boots, with the cloud's reason", async () => {
    const { ask, clock, cloud, quiet } = world();
    const asked = ask();
    await clock.until(() => cloud.machines.length === 1, 5_000);
    cloud.kill("Client.VolumeLimitExceeded: Volume limit exceeded");
    await clock.until(() => asked.settled, 10_000);
    expect(asked.error?.message).toContain("Volume limit exceeded");
    await clock.until(quiet, 5_000);
  });

  it("does not let the machine of one connection linger", async () => {
    const { ask, clock, quiet } = world({ shared: false, lingerMs: 3_600_000 });
    const asked = ask();
    await clock.until(() => asked.settled, 10_000);
    asked.lease?.release();
    await clock.until(quiet, 5_000);
  });

  it("says with the id and a remedy, each time, that a machine cannot be ended", async () => {
    const { ask, clock, cloud, seen, quiet } = world();
    const asked = ask();
    await clock.until(() => asked.settled, 10_000);
    cloud.fault = (verb, call) => {
      if (verb === "destroy" && call <= 3)
        throw new LazysshError("NOT_PERMITTED", "not allowed to terminate");
    };
    asked.lease?.release();
    await clock.until(quiet, 60_000);
    const shouts = seen.filter((event) => event.type === "machine.leak_suspected");
    expect(shouts.map(({ machine, attempt, remedy }) => ({ machine, attempt, remedy }))).toEqual(
      [1, 2, 3].map((attempt) => ({ machine: "i-1", attempt, remedy: "end i-1 by hand" })),
    );
  });

  it("tells who waits for a machine that cannot be ended, within the boot timeout, and serves once it is", async () => {
    const { ask, clock, cloud } = world({ bootTimeoutMs: 30_000 });
    const first = ask();
    await clock.until(() => first.settled, 10_000);
    cloud.fault = (verb) => {
      if (verb === "destroy") throw new LazysshError("NOT_PERMITTED", "not allowed to terminate");
    };
    first.lease?.release();
    const refused = ask();
    await clock.until(() => refused.settled, 31_000);
    expect(refused.error?.message).toMatch(
      /i-1 before this one has not ended within 30 s.*nothing is started beside it/,
    );
    cloud.fault = () => undefined;
    const served = ask();
    await clock.until(() => served.lease !== undefined, 60_000);
    expect(cloud.mostRunning).toBe(1);
  });

  it("orders nothing when it cannot write the intent down", async () => {
    const { ask, clock, cloud, journal } = world();
    journal.write = async () => {
      throw new LazysshError("INTERNAL", "no space left on device");
    };
    const asked = ask();
    await clock.until(() => asked.settled, 5_000);
    expect(asked.error?.message).toContain("no space left on device");
    expect(cloud.machines).toHaveLength(0);
  });

  it("on close ends every machine, takes leases back with the reason, and refuses new ones", async () => {
    const { ask, clock, fleet, quiet, journal } = world();
    const [held, waiting] = [ask(), ask({ target: "archiver" })];
    await clock.until(() => held.settled && waiting.settled, 10_000);
    let closed = false;
    void fleet.close().then(() => {
      closed = true;
    });
    expect(fleet.running()).toEqual(["i-1"]);
    await clock.until(() => closed, 20_000);
    expect(quiet()).toBe(true);
    expect(held.lease?.signal.reason).toMatchObject({ code: "SHUTTING_DOWN" });
    expect(fleet.running()).toEqual([]);
    expect(journal.records.size).toBe(0);
    const late = ask();
    await settled();
    expect(late.error?.code).toBe("SHUTTING_DOWN");
  });

  it("does not wait for an unreachable cloud to end when it has started nothing", async () => {
    const { ask, clock, cloud, fleet } = world();
    cloud.fault = () => {
      throw new LazysshError("CLOUD_UNREACHABLE", "ECONNREFUSED", { retryable: true });
    };
    const asked = ask();
    await clock.advance(5_000);
    let closed = false;
    void fleet.close().then(() => {
      closed = true;
    });
    await settled();
    expect(closed).toBe(true);
    expect(asked.error?.code).toBe("SHUTTING_DOWN");
  });

  it("connects forward targets at once, without a machine", async () => {
    const { ask, cloud } = world();
    const asked = ask({ target: "home" });
    await settled();
    expect(asked.lease?.host).toBe("192.0.2.1");
    expect(cloud.calls).toEqual([]);
  });

  it("says which targets exist, and which one was probably meant", async () => {
    const { ask } = world();
    const asked = ask({ target: "archivr" });
    await settled();
    expect(asked.error?.code).toBe("UNKNOWN_TARGET");
    expect(asked.error?.message).toBe(
      'there is no target "archivr": did you mean "archiver"? targets are: archiver, home',
    );
  });
});
