import fc from "fast-check";
import { expect, test } from "vitest";
import { Cloud } from "../../../src/dev/cloud/cloud.ts";
import { Ec2Error } from "../../../src/dev/cloud/error.ts";
import { launch } from "../../../src/dev/cloud/launch.ts";
import { instanceDied, interruptSpot } from "../../../src/dev/cloud/life.ts";
import {
  rebootInstances,
  startInstances,
  stopInstances,
  terminateInstances,
} from "../../../src/dev/cloud/power.ts";
import { recordOf, restore } from "../../../src/dev/cloud/record.ts";
import { DEV_IMAGE } from "../../../src/dev/cloud/region.ts";
import { currentStatus } from "../../../src/dev/cloud/spot.ts";
import { currentState, type InstanceState } from "../../../src/dev/cloud/state.ts";
import { attachVolume, createVolume, detachVolume } from "../../../src/dev/cloud/volumes.ts";
import type { Clock } from "../../../src/util/clock.ts";

const VOLUMES = 3;
const TOKENS = ["red", "green", "blue"] as const;

type Operation =
  | { readonly do: "launch"; readonly token: (typeof TOKENS)[number]; readonly variant: boolean }
  | { readonly do: "attach" | "detach"; readonly volume: number; readonly instance: number }
  | {
      readonly do: "terminate" | "stop" | "start" | "reboot" | "die" | "interrupt";
      readonly instance: number;
    }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "restart" };

const instance = fc.nat(4);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ do: fc.constant("launch" as const), token: fc.constantFrom(...TOKENS), variant: fc.boolean() }),
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom("attach", "detach"), volume: fc.nat(VOLUMES - 1), instance }),
  },
  fc.record({ do: fc.constantFrom("terminate", "stop", "start", "reboot", "die", "interrupt"), instance }),
  { weight: 4, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat(700) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const) }) },
);

/** From each state, those that may come next (EC2 user guide, "Instance lifecycle"). */
const NEXT: Readonly<Record<InstanceState, readonly InstanceState[]>> = {
  pending: ["running", "shutting-down", "terminated"],
  running: ["shutting-down", "stopping", "terminated"],
  "shutting-down": ["terminated"],
  terminated: [],
  stopping: ["stopped", "shutting-down", "terminated"],
  stopped: ["pending", "terminated"],
};

class World {
  now = 1_700_000_000_000;
  readonly clock: Clock = {
    now: () => this.now,
    sleep: () => Promise.reject(new Error("the model must not sleep")),
  };
  cloud = new Cloud({ clock: this.clock });
  readonly volumes = Array.from(
    { length: VOLUMES },
    () => createVolume(this.cloud, { zone: "us-west-2d", size: 125, type: "sc1" }).id,
  );
  readonly launched: string[] = [];
  /** What each token was first used for. */
  readonly tokens = new Map<string, { id: string; variant: boolean }>();

  perform(op: Operation): void {
    const pick = (index: number): string =>
      this.launched[index % Math.max(this.launched.length, 1)] ?? "i-00000000000000bad";
    this.cloud.settle();
    switch (op.do) {
      case "launch":
        this.#launch(op.token, op.variant);
        return;
      case "attach":
        attachVolume(
          this.cloud,
          this.volumes[op.volume] ?? "",
          pick(op.instance),
          `/dev/sd${"fgh"[op.volume]}`,
        );
        return;
      case "detach":
        detachVolume(this.cloud, this.volumes[op.volume] ?? "", undefined);
        return;
      case "terminate":
        terminateInstances(this.cloud, [pick(op.instance)]);
        return;
      case "stop":
        stopInstances(this.cloud, [pick(op.instance)]);
        return;
      case "start":
        startInstances(this.cloud, [pick(op.instance)]);
        return;
      case "reboot":
        rebootInstances(this.cloud, [pick(op.instance)]);
        return;
      case "die":
        instanceDied(this.cloud, pick(op.instance));
        return;
      case "interrupt":
        interruptSpot(this.cloud, pick(op.instance), 100, "marked-for-termination");
        return;
      case "wait":
        this.now += op.ms;
        this.cloud.settle();
        return;
      case "restart": {
        const saved = JSON.parse(JSON.stringify(recordOf(this.cloud))) as ReturnType<typeof recordOf>;
        this.cloud = new Cloud({ clock: this.clock });
        restore(this.cloud, saved);
        return;
      }
    }
  }

  #launch(token: string, variant: boolean): void {
    const before = this.tokens.get(token);
    const request = {
      imageId: DEV_IMAGE,
      instanceType: "t4g.nano",
      minCount: 1,
      maxCount: 1,
      zone: "us-west-2d",
      clientToken: token,
      fingerprint: String(variant),
      spot: variant ? { maxPrice: undefined, tags: {} } : undefined,
    };
    const mismatch = before !== undefined && before.variant !== variant;
    if (mismatch) {
      expect(() => launch(this.cloud, request)).toThrow(
        expect.objectContaining({ code: "IdempotentParameterMismatch" }),
      );
      return;
    }
    const known = before && this.cloud.instances.get(before.id);
    if (known && currentState(known).state === "terminated") {
      expect(() => launch(this.cloud, request)).toThrow(
        expect.objectContaining({ code: "IdempotentInstanceTerminated" }),
      );
      return;
    }
    const [made] = launch(this.cloud, request);
    if (before === undefined) {
      this.launched.push(made?.id ?? "");
      this.tokens.set(token, { id: made?.id ?? "", variant });
    } else expect(made?.id).toBe(before.id);
  }

  check(): void {
    expect(this.cloud.instances.size, "one instance for each token").toBe(this.tokens.size);
    for (const id of this.volumes) {
      const volume = this.cloud.volumes.get(id);
      expect(volume, `${id} is still there`).toBeDefined();
      expect(volume?.state).toBe(volume?.attachment === undefined ? "available" : "in-use");
    }
    for (const { history, id, spotRequestId } of this.cloud.instances.values()) {
      const request = spotRequestId && this.cloud.spotRequests.get(spotRequestId);
      const isOver = ["shutting-down", "terminated"].includes(history.at(-1)?.state ?? "");
      if (request) expect(currentStatus(request).state === "active", `request of ${id}`).toBe(!isOver);
      history.slice(1).forEach((change, index) => {
        const before = history[index];
        if (before !== undefined)
          expect(NEXT[before.state], `${id} after ${before.state}`).toContain(change.state);
      });
    }
  }

  /** After all is over: what remains once every instance has been ended. */
  async end(): Promise<void> {
    terminateInstances(this.cloud, this.launched);
    this.now += 10_000;
    this.cloud.settle();
    for (const id of this.volumes) expect(this.cloud.volumes.get(id)?.state).toBe("available");
    for (const instance of this.cloud.instances.values())
      expect(currentState(instance).state).toBe("terminated");
    expect(this.cloud.volumes.size, "root volumes went with their instances").toBe(VOLUMES);
  }
}

test("whatever is asked in whatever order, a volume is never lost nor held twice, and a token makes one instance", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 60 }), async (operations) => {
      const world = new World();
      for (const op of operations) {
        try {
          world.perform(op);
        } catch (error) {
          // A refusal is an answer; anything else is a fault of the model.
          if (!(error instanceof Ec2Error)) throw error;
        }
        world.check();
      }
      await world.end();
    }),
    { numRuns: 300 },
  );
});

test("attachment events never show a volume with two instances at a time", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const world = new World();
      const holders = new Map<string, string>();
      world.cloud.onEvent((event) => {
        if (event.type !== "volume.attachment") return;
        const holder = holders.get(event.volume);
        if (holder !== undefined) expect(event.instance).toBe(holder);
        if (event.state === "detached") holders.delete(event.volume);
        else holders.set(event.volume, event.instance);
      });
      for (const op of operations.filter((candidate) => candidate.do !== "restart")) {
        try {
          world.perform(op);
        } catch (error) {
          if (!(error instanceof Ec2Error)) throw error;
        }
      }
    }),
    { numRuns: 300 },
  );
});
