import {
  DescribeInstancesCommand,
  DescribeSpotInstanceRequestsCommand,
  type DescribeSpotInstanceRequestsCommandInput,
  type InstanceMarketOptionsRequest,
  RunInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { interruptSpot } from "../../../src/dev/cloud/life.ts";
import { recordOf, restore } from "../../../src/dev/cloud/record.ts";
import { SimClock } from "../../harness/sim-clock.ts";
import { describe as describeInstance, LAUNCH, run, untilState } from "../machine.ts";
import { refusalOf, startApi, type TestApi } from "./api.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const SPOT = { InstanceMarketOptions: { MarketType: "spot" as const } };

async function requests(input: DescribeSpotInstanceRequestsCommandInput, { ec2 }: TestApi = api) {
  return (await ec2.send(new DescribeSpotInstanceRequestsCommand(input))).SpotInstanceRequests ?? [];
}

async function requestOf(id: string, of: TestApi = api) {
  const { SpotInstanceRequestId = "" } = await describeInstance(of, id);
  const [request] = await requests({ SpotInstanceRequestIds: [SpotInstanceRequestId] }, of);
  return { state: request?.State, code: request?.Status?.Code };
}

const ordering = (InstanceMarketOptions: InstanceMarketOptionsRequest) =>
  api.ec2.send(new RunInstancesCommand({ ...LAUNCH, InstanceMarketOptions }));

describe("an instance of the spot market", () => {
  test("says so, and its request is fulfilled, with price, zone and tags", async () => {
    const id = await run(api, {
      InstanceMarketOptions: {
        MarketType: "spot",
        SpotOptions: {
          MaxPrice: "0.0125",
          SpotInstanceType: "one-time",
          InstanceInterruptionBehavior: "terminate",
        },
      },
      TagSpecifications: [
        { ResourceType: "spot-instances-request", Tags: [{ Key: "of", Value: "archiver" }] },
        { ResourceType: "network-interface", Tags: [{ Key: "of", Value: "archiver" }] },
      ],
    });
    const { InstanceLifecycle, SpotInstanceRequestId, Tags } = await describeInstance(api, id);
    expect(InstanceLifecycle).toBe("spot");
    expect(SpotInstanceRequestId).toMatch(/^sir-[0-9a-z]{8}$/);
    expect(Tags).toEqual([]);
    const expected = [
      {
        SpotInstanceRequestId,
        InstanceId: id,
        SpotPrice: "0.0125",
        Type: "one-time",
        State: "active",
        Status: { Code: "fulfilled", Message: expect.any(String), UpdateTime: expect.any(Date) },
        LaunchedAvailabilityZone: "us-west-2d",
        InstanceInterruptionBehavior: "terminate",
        Tags: [{ Key: "of", Value: "archiver" }],
      },
    ];
    expect(await requests({ SpotInstanceRequestIds: [SpotInstanceRequestId ?? ""] })).toMatchObject(expected);
    for (const [Name, value] of [
      ["instance-id", id],
      ["tag:of", "archiver"],
    ] as const) {
      expect(await requests({ Filters: [{ Name, Values: [value] }] })).toMatchObject(expected);
    }
    const Filters = [
      { Name: "instance-lifecycle", Values: ["spot"] },
      { Name: "instance-id", Values: [id] },
    ];
    const { Reservations } = await api.ec2.send(new DescribeInstancesCommand({ Filters }));
    expect(Reservations).toHaveLength(1);
  });

  test("cannot be stopped, in EC2's words", async () => {
    const id = await run(api, SPOT);
    await untilState(api, id, "running");
    expect(await refusalOf(api.ec2.send(new StopInstancesCommand({ InstanceIds: [id] })))).toEqual({
      code: "UnsupportedOperation",
      message: `You can't stop the Spot Instance '${id}' because it is associated with a one-time Spot Instance request. You can only stop Spot Instances associated with persistent Spot Instance requests.`,
      status: 400,
    });
  });

  test("that its user terminates closes its request", async () => {
    const id = await run(api, SPOT);
    await api.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
    await untilState(api, id, "terminated");
    expect(await requestOf(id)).toEqual({ state: "closed", code: "instance-terminated-by-user" });
  });

  test("that the service ends cancels its request", async () => {
    const own = await startApi();
    await using _ = own;
    own.faults.set([{ action: "RunInstances", kind: "dies-pending" }]);
    const id = await run(own, SPOT);
    await untilState(own, id, "terminated");
    expect(await requestOf(id, own)).toEqual({ state: "cancelled", code: "instance-terminated-by-service" });
    const saved = JSON.parse(JSON.stringify(recordOf(own.cloud))) as ReturnType<typeof recordOf>;
    own.cloud.spotRequests.clear();
    restore(own.cloud, saved);
    expect(await requestOf(id, own)).toMatchObject({ state: "cancelled" });
  });
});

describe("an interruption", () => {
  test.each([
    ["marked-for-termination", "active"],
    ["instance-terminated-no-capacity", "closed"],
  ] as const)("with %s is said at once, and comes two minutes later", async (code, state) => {
    const clock = new SimClock();
    await using own = await startApi({ clock });
    const id = await run(own, SPOT);
    await clock.advance(1000);
    interruptSpot(own.cloud, id, 120_000, code);
    expect(await requestOf(id, own)).toEqual({ state, code });
    await clock.advance(119_999);
    expect((await describeInstance(own, id)).State?.Name).toBe("running");
    await clock.advance(1);
    expect((await describeInstance(own, id)).State?.Name).toBe("shutting-down");
    await clock.advance(1000);
    const gone = await describeInstance(own, id);
    expect(gone.StateReason).toEqual({
      Code: "Server.SpotInstanceTermination",
      Message: "Server.SpotInstanceTermination: Spot instance termination",
    });
    expect(await requestOf(id, own)).toEqual({ state: "closed", code: "instance-terminated-no-capacity" });
  });

  test("is for spot instances that run", async () => {
    const plain = await run(api);
    expect(() => interruptSpot(api.cloud, plain, 0, "marked-for-termination")).toThrow(
      "is not a Spot Instance",
    );
    const id = await run(api, SPOT);
    await api.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
    expect(() => interruptSpot(api.cloud, id, 0, "marked-for-termination")).toThrow("is shutting-down");
  });
});

test("a request is not seen before its time, and gone with its instance", async () => {
  const clock = new SimClock();
  await using own = await startApi({ clock });
  const id = await run(own, SPOT);
  own.faults.set([{ action: "DescribeSpot*", kind: "stale", ms: 1000 }]);
  const { SpotInstanceRequestId: request = "" } = await describeInstance(own, id);
  const one = () => requests({ SpotInstanceRequestIds: [request] }, own);
  expect(await refusalOf(one())).toMatchObject({ code: "InvalidSpotInstanceRequestID.NotFound" });
  expect(await requests({}, own)).toEqual([]);
  await clock.advance(1000);
  expect(await one()).toHaveLength(1);
  await own.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
  expect(await one()).toMatchObject([{ State: "active" }]);
  await clock.advance(3_700_000);
  expect(await requests({}, own)).toEqual([]);
});

test.each<[string, InstanceMarketOptionsRequest, string]>([
  [
    "a persistent request",
    { MarketType: "spot", SpotOptions: { SpotInstanceType: "persistent" } },
    "UnsupportedOperation",
  ],
  [
    "an interruption that stops",
    { MarketType: "spot", SpotOptions: { InstanceInterruptionBehavior: "stop" } },
    "InvalidParameterCombination",
  ],
  [
    "a price that is none",
    { MarketType: "spot", SpotOptions: { MaxPrice: "cheap" } },
    "InvalidParameterValue",
  ],
  ["a price of zero", { MarketType: "spot", SpotOptions: { MaxPrice: "0.00" } }, "InvalidParameterValue"],
  ["another market", { MarketType: "capacity-block" }, "InvalidParameterValue"],
  ["spot options without a market", { SpotOptions: { MaxPrice: "1" } }, "InvalidParameterCombination"],
])("%s is refused", async (_what, options, code) => {
  expect(await refusalOf(ordering(options))).toMatchObject({ code, status: 400 });
});

test.each([
  ["sir-nothere0", "InvalidSpotInstanceRequestID.NotFound"],
  ["nonsense", "InvalidSpotInstanceRequestID.Malformed"],
])("the request %s is %s", async (id, code) => {
  expect(await refusalOf(requests({ SpotInstanceRequestIds: [id] }))).toMatchObject({ code });
});
