import {
  AttachVolumeCommand,
  CreateTagsCommand,
  DescribeInstancesCommand,
  DescribeTagsCommand,
  DescribeVolumesCommand,
  DetachVolumeCommand,
  RunInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import { describe, expect, test } from "vitest";
import { createVolume } from "../../../src/dev/cloud/volumes.ts";
import { SimClock } from "../../harness/sim-clock.ts";
import { describe as describeInstance, LAUNCH, run, untilState } from "../machine.ts";
import { refusalOf, startApi, type TestApi } from "./api.ts";

const SPOT = { InstanceMarketOptions: { MarketType: "spot" as const } };
const NO_CAPACITY = { code: "InsufficientInstanceCapacity", status: 500 };

async function timedApi(): Promise<{ api: TestApi; clock: SimClock } & AsyncDisposable> {
  const clock = new SimClock();
  const delays = { pendingMs: 100, attachMs: 300, shutdownMs: 100, detachMs: 300 };
  const api = await startApi({ clock, delays });
  return { api, clock, [Symbol.asyncDispose]: () => api[Symbol.asyncDispose]() };
}

const volumeIn = ({ cloud }: TestApi) =>
  createVolume(cloud, { zone: "us-west-2d", size: 125, type: "sc1" }).id;

async function volume({ ec2 }: TestApi, id: string) {
  const { Volumes } = await ec2.send(new DescribeVolumesCommand({ VolumeIds: [id] }));
  return { state: Volumes?.[0]?.State, attachment: Volumes?.[0]?.Attachments?.[0]?.State };
}

describe("stale", () => {
  test("shows volumes, and the instances that hold them, as they were", async () => {
    await using timed = await timedApi();
    const { api, clock } = timed;
    const id = volumeIn(api);
    const instance = await run(api);
    await clock.advance(5000);
    await api.ec2.send(new AttachVolumeCommand({ VolumeId: id, InstanceId: instance, Device: "/dev/sdf" }));
    api.faults.set([{ action: "Describe*", kind: "stale", ms: 2000 }]);
    const held = async () => (await describeInstance(api, instance)).BlockDeviceMappings?.length;
    expect([await volume(api, id), await held()]).toEqual([{ state: "available", attachment: undefined }, 1]);
    await clock.advance(2000);
    expect([await volume(api, id), await held()]).toEqual([{ state: "in-use", attachment: "attaching" }, 2]);
    await clock.advance(300);
    expect(await volume(api, id)).toEqual({ state: "in-use", attachment: "attached" });
  });

  test("does not show a new volume yet, and still a deleted one", async () => {
    await using timed = await timedApi();
    const { api, clock } = timed;
    api.faults.set([{ action: "Describe*", kind: "stale", ms: 2000 }]);
    const id = volumeIn(api);
    expect(await refusalOf(volume(api, id))).toMatchObject({ code: "InvalidVolume.NotFound" });
    await clock.advance(2000);
    api.cloud.volumes.delete(id);
    api.cloud.emit({ type: "volume.deleted", volume: id });
    expect(await volume(api, id)).toMatchObject({ state: "available" });
    await clock.advance(2000);
    const { Volumes } = await api.ec2.send(new DescribeVolumesCommand({}));
    expect(Volumes).toEqual([]);
  });

  test("shows tags as they were, and filters by them", async () => {
    await using timed = await timedApi();
    const { api, clock } = timed;
    const [instance, id] = [await run(api), volumeIn(api)];
    await clock.advance(5000);
    await api.ec2.send(
      new CreateTagsCommand({ Resources: [instance, id], Tags: [{ Key: "note", Value: "new" }] }),
    );
    api.faults.set([{ action: "Describe*", kind: "stale", ms: 2000 }]);
    const seen = async () => {
      const Filters = [{ Name: "tag:note", Values: ["new"] }];
      const { Reservations } = await api.ec2.send(new DescribeInstancesCommand({ Filters }));
      const { Volumes } = await api.ec2.send(new DescribeVolumesCommand({ Filters }));
      const { Tags } = await api.ec2.send(new DescribeTagsCommand({}));
      const shown = (await describeInstance(api, instance)).Tags;
      return [Reservations?.length, Volumes?.length, Tags?.length, shown?.length];
    };
    expect(await seen()).toEqual([0, 0, 0, 0]);
    await clock.advance(2000);
    expect(await seen()).toEqual([1, 1, 2, 1]);
  });
});

test("not-found knows no instance that is younger than it says, for calls by id and for listings", async () => {
  await using timed = await timedApi();
  const { api, clock } = timed;
  const id = await run(api);
  api.faults.set([{ action: "*", kind: "not-found", ms: 3000 }]);
  const unknown = { code: "InvalidInstanceID.NotFound", message: `The instance ID '${id}' does not exist` };
  const calls = () => [
    describeInstance(api, id),
    api.ec2.send(new CreateTagsCommand({ Resources: [id], Tags: [{ Key: "a", Value: "" }] })),
    api.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] })),
  ];
  for (const call of calls()) expect(await refusalOf(call)).toMatchObject(unknown);
  const all = async () => (await api.ec2.send(new DescribeInstancesCommand({}))).Reservations?.length;
  expect(await all()).toBe(0);
  await clock.advance(3000);
  expect(await all()).toBe(1);
  await Promise.all(calls());
});

test("not-found without an age hits as often as it says, calls about instances only", async () => {
  await using api = await startApi();
  const id = await run(api);
  api.faults.set([{ action: "*", kind: "not-found", times: 2 }]);
  await volume(api, volumeIn(api));
  for (const _ of [1, 2]) {
    expect(await refusalOf(describeInstance(api, id))).toMatchObject({ code: "InvalidInstanceID.NotFound" });
  }
  await describeInstance(api, id);
});

describe("capacity", () => {
  test("can be short of one type, in one subnet, on one market; other orders use up none of it", async () => {
    await using api = await startApi();
    const subnet = "subnet-0de700000000000a0";
    api.faults.set([
      { action: "RunInstances", kind: "capacity", instanceType: "t4g.small", times: 1 },
      { action: "RunInstances", kind: "capacity", subnet },
      { action: "RunInstances", kind: "capacity", market: "spot" },
    ]);
    await run(api);
    expect(await refusalOf(run(api, { InstanceType: "t4g.small" }))).toMatchObject(NO_CAPACITY);
    await run(api, { InstanceType: "t4g.small" });
    expect(await refusalOf(run(api, { SubnetId: subnet }))).toMatchObject(NO_CAPACITY);
    const Placement = { AvailabilityZone: "us-west-2a" };
    expect(await refusalOf(run(api, { Placement }))).toMatchObject(NO_CAPACITY);
    expect(await refusalOf(run(api, SPOT))).toMatchObject({
      ...NO_CAPACITY,
      message: "There is no Spot capacity available that matches your request.",
    });
    const template = { LaunchTemplate: { LaunchTemplateName: "lazyssh-dev", Version: "2" } };
    api.faults.set([{ action: "RunInstances", kind: "capacity", instanceType: "t4g.small" }]);
    const byTemplate = new RunInstancesCommand({ MinCount: 1, MaxCount: 1, ...template });
    expect(await refusalOf(api.ec2.send(byTemplate))).toMatchObject(NO_CAPACITY);
  });

  test("refuses neither what its token has made nor what is not sound", async () => {
    await using api = await startApi();
    const id = await run(api, { ClientToken: "made" });
    api.faults.set([{ action: "RunInstances", kind: "capacity" }]);
    expect(await run(api, { ClientToken: "made" })).toBe(id);
    expect(await refusalOf(run(api, { KeyName: "nobody" }))).toMatchObject({
      code: "InvalidKeyPair.NotFound",
    });
  });

  test("can be short when a stopped instance is started", async () => {
    await using api = await startApi();
    const id = await run(api);
    await untilState(api, id, "running");
    await api.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
    await untilState(api, id, "stopped");
    const start = () => api.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }));
    api.faults.set([{ action: "StartInstances", kind: "capacity", instanceType: "t4g.small" }]);
    const elsewhere = { action: "StartInstances", kind: "capacity", instanceType: "t4g.nano" } as const;
    api.faults.set([...api.faults.list(), elsewhere]);
    expect(await refusalOf(start())).toMatchObject(NO_CAPACITY);
    expect((await describeInstance(api, id)).State?.Name).toBe("stopped");
    api.faults.clear();
    await start();
  });
});

test("spot-price refuses spot orders that would pay less, in EC2's words", async () => {
  await using api = await startApi();
  api.faults.set([{ action: "RunInstances", kind: "spot-price", price: 0.0375 }]);
  const order = (MaxPrice: string) =>
    run(api, { InstanceMarketOptions: { MarketType: "spot", SpotOptions: { MaxPrice } } });
  expect(await refusalOf(order("0.02"))).toEqual({
    code: "SpotMaxPriceTooLow",
    message:
      "Your Spot request price of 0.02 is lower than the minimum required Spot request fulfillment price of 0.0375.",
    status: 400,
  });
  await order("0.0375");
  await run(api, SPOT);
  await run(api);
});

test("deny is UnauthorizedOperation, also for a dry run", async () => {
  await using api = await startApi();
  api.faults.set([{ action: "RunInstances", kind: "deny" }]);
  const denied = {
    code: "UnauthorizedOperation",
    message: expect.stringContaining("is not authorized to perform: ec2:RunInstances"),
    status: 403,
  };
  expect(await refusalOf(run(api))).toEqual(denied);
  expect(await refusalOf(api.ec2.send(new RunInstancesCommand({ ...LAUNCH, DryRun: true })))).toEqual(denied);
});

test("terminated-replay answers a spent token with its terminated instance", async () => {
  await using api = await startApi();
  const id = await run(api, { ClientToken: "spent" });
  await api.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
  await untilState(api, id, "terminated");
  api.faults.set([{ action: "RunInstances", kind: "terminated-replay" }]);
  const order = new RunInstancesCommand({ ...LAUNCH, ClientToken: "spent" });
  const { Instances } = await api.ec2.send(order);
  expect(Instances).toMatchObject([{ InstanceId: id, State: { Name: "terminated" } }]);
});

describe("delays", () => {
  test("of attachment and of detachment are those of one call", async () => {
    await using timed = await timedApi();
    const { api, clock } = timed;
    const [id, instance] = [volumeIn(api), await run(api)];
    api.faults.set([
      { action: "*", kind: "attach-delay", ms: 10_000, times: 1 },
      { action: "*", kind: "detach-delay", ms: 20_000, times: 1 },
    ]);
    await clock.advance(100);
    await api.ec2.send(new AttachVolumeCommand({ VolumeId: id, InstanceId: instance, Device: "/dev/sdf" }));
    await clock.advance(9999);
    expect(await volume(api, id)).toEqual({ state: "in-use", attachment: "attaching" });
    await clock.advance(1);
    expect(await volume(api, id)).toEqual({ state: "in-use", attachment: "attached" });
    await api.ec2.send(new DetachVolumeCommand({ VolumeId: id }));
    await clock.advance(19_999);
    expect(await volume(api, id)).toEqual({ state: "in-use", attachment: "detaching" });
    await clock.advance(1);
    expect(await volume(api, id)).toEqual({ state: "available", attachment: undefined });
  });

  test("of detachment can follow a termination", async () => {
    await using timed = await timedApi();
    const { api, clock } = timed;
    const [id, instance] = [volumeIn(api), await run(api)];
    await clock.advance(100);
    await api.ec2.send(new AttachVolumeCommand({ VolumeId: id, InstanceId: instance, Device: "/dev/sdf" }));
    await clock.advance(300);
    api.faults.set([{ action: "TerminateInstances", kind: "detach-delay", ms: 20_000 }]);
    await api.ec2.send(new TerminateInstancesCommand({ InstanceIds: [instance] }));
    await clock.advance(20_099);
    expect(await volume(api, id)).toEqual({ state: "in-use", attachment: "detaching" });
    await clock.advance(1);
    expect(await volume(api, id)).toEqual({ state: "available", attachment: undefined });
  });
});
