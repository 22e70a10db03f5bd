import {
  DescribeInstancesCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import { beforeEach, describe, expect, test } from "vitest";
import { type FaultRule, parseFaultRules } from "../../../src/dev/ec2/fault-rules.ts";
import { Faults } from "../../../src/dev/ec2/faults.ts";
import { SimClock } from "../../harness/sim-clock.ts";
import { describe as describeInstance, LAUNCH, run, untilState } from "../machine.ts";
import { refusalOf, startApi } from "./api.ts";

describe("fault rules on the API", () => {
  test("an error is answered as often as asked for, without effect", async () => {
    await using api = await startApi();
    api.faults.set([
      { action: "RunInstances", kind: "error", code: "VcpuLimitExceeded", message: "too many", times: 1 },
    ]);
    expect(await refusalOf(run(api))).toEqual({
      code: "VcpuLimitExceeded",
      message: "too many",
      status: 400,
    });
    expect(api.cloud.instances.size).toBe(0);
    await run(api);
  });

  test("no capacity and throttling have EC2's codes and statuses", async () => {
    await using api = await startApi();
    api.faults.set([
      { action: "RunInstances", kind: "capacity" },
      { action: "Describe*", kind: "throttle" },
    ]);
    expect(await refusalOf(run(api))).toMatchObject({ code: "InsufficientInstanceCapacity", status: 500 });
    const describeAll = api.ec2.send(new DescribeInstancesCommand());
    expect(await refusalOf(describeAll)).toMatchObject({ code: "RequestLimitExceeded", status: 503 });
  });

  test.each<[FaultRule["kind"], number]>([
    ["drop-before", 0],
    ["drop-after", 1],
  ])("%s resets the connection, with %i instances made", async (kind, made) => {
    await using api = await startApi();
    api.faults.set([{ action: "RunInstances", kind, times: 1 } as FaultRule]);
    await expect(run(api, { ClientToken: "lost" })).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(api.cloud.instances.size).toBe(made);
    const id = await run(api, { ClientToken: "lost" });
    expect([...api.cloud.instances.keys()]).toEqual([id]);
  });

  test("error-after takes effect and answers an internal error", async () => {
    await using api = await startApi();
    api.faults.set([{ action: "RunInstances", kind: "error-after" }]);
    expect(await refusalOf(run(api))).toMatchObject({ code: "InternalError", status: 500 });
    expect(api.cloud.instances.size).toBe(1);
  });

  test("hang holds the call back for its time", async () => {
    const clock = new SimClock();
    await using api = await startApi({ clock });
    api.faults.set([{ action: "*", kind: "hang", ms: 5000, times: 1 }]);
    const call = api.ec2.send(new RunInstancesCommand(LAUNCH));
    await expect.poll(() => api.calls).toEqual(["RunInstances"]);
    await clock.advance(4999);
    expect(api.cloud.instances.size).toBe(0);
    await clock.until(() => api.cloud.instances.size === 1, 1);
    expect((await call).Instances).toHaveLength(1);
  });

  test("a stale Describe shows the past: not yet there, then still running", async () => {
    const clock = new SimClock();
    await using api = await startApi({ clock, delays: { pendingMs: 100, shutdownMs: 100 } });
    api.faults.set([{ action: "Describe*", kind: "stale", ms: 2000 }]);
    const id = await run(api);
    await clock.advance(1999);
    expect(await refusalOf(describeInstance(api, id))).toMatchObject({ code: "InvalidInstanceID.NotFound" });
    await clock.advance(1000);
    await api.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
    await clock.advance(1000);
    expect((await describeInstance(api, id)).State?.Name).toBe("running");
    await clock.advance(2000);
    expect((await describeInstance(api, id)).State?.Name).toBe("terminated");
  });

  test("an instance can die while pending, and says why", async () => {
    await using api = await startApi();
    const reason = "Volume limit exceeded";
    api.faults.set([
      { action: "RunInstances", kind: "dies-pending", code: "Client.VolumeLimitExceeded", reason, times: 1 },
    ]);
    const dead = await untilState(api, await run(api), "terminated");
    expect(dead.StateReason).toEqual({
      Code: "Client.VolumeLimitExceeded",
      Message: "Client.VolumeLimitExceeded: Volume limit exceeded",
    });
    await untilState(api, await run(api), "running");
  });
});

describe("Faults", () => {
  let faults: Faults;
  beforeEach(() => {
    faults = new Faults(() => 0.5);
  });

  test("hits by name, by prefix and by star, the first rule first", () => {
    faults.set([
      { action: "RunInstances", kind: "capacity" },
      { action: "Describe*", kind: "throttle" },
      { action: "*", kind: "drop-before" },
    ]);
    const kinds = ["RunInstances", "DescribeVolumes", "CreateTags"].map(
      (action) => faults.decide(action)?.kind,
    );
    expect(kinds).toEqual(["capacity", "throttle", "drop-before"]);
  });

  test("weighs by probability", () => {
    faults.set([{ action: "*", kind: "throttle", probability: 0.5 }]);
    expect(faults.decide("CreateTags")).toBeUndefined();
    faults.set([{ action: "*", kind: "throttle", probability: 0.51 }]);
    expect(faults.decide("CreateTags")?.kind).toBe("throttle");
  });

  test("lists what is left, and forgets what is used up", () => {
    faults.set([{ action: "*", kind: "capacity", times: 2 }]);
    faults.decide("RunInstances");
    expect(faults.list()).toEqual([{ action: "*", kind: "capacity", times: 1 }]);
    faults.decide("RunInstances");
    expect(faults.list()).toEqual([]);
    expect(faults.decide("RunInstances")).toBeUndefined();
  });

  test("takes every kind with all that it can say", () => {
    const rules = [
      { kind: "error", code: "Oops", message: "oops", status: 500 },
      { kind: "capacity", instanceType: "t4g.nano", subnet: "subnet-0", market: "spot" },
      { kind: "spot-price", price: 0.01 },
      { kind: "not-found", ms: 1 },
      { kind: "stale", ms: 1 },
      { kind: "dies-pending", code: "Oops", reason: "oops" },
    ].map((rule) => ({ action: "*", times: 1, probability: 0.5, ...rule }));
    expect(parseFaultRules(rules)).toEqual(rules);
  });

  test.each([
    [{ action: "*", kind: "capacity" }, /JSON array/],
    [[{ action: "*" }], /rule 0 .*needs "action" and "kind"/],
    [
      [
        { action: "*", kind: "capacity" },
        { action: "*", kind: "explode" },
      ],
      /rule 1/,
    ],
    [[{ action: "*", kind: "error" }], /"error" needs "code"/],
    [[{ action: "*", kind: "hang", ms: "1s" }], /need "ms"/],
    [[{ action: "*", kind: "attach-delay" }], /the delays need "ms"/],
    [[{ action: "*", kind: "spot-price" }], /"spot-price" needs "price"/],
    [[{ action: "*", kind: "capacity", market: "flea" }], /rule 0/],
    [[{ action: "*", kind: "capacity", instancetype: "t4g.nano" }], /rule 0/],
    [[{ action: "*", kind: "toString" }], /rule 0/],
  ])("refuses the rules %j", (rules, message) => {
    expect(() => parseFaultRules(rules)).toThrow(message);
  });
});
