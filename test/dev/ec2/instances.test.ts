import {
  DescribeInstanceAttributeCommand,
  DescribeInstanceStatusCommand,
  DescribeInstancesCommand,
  DescribeVolumesCommand,
  GetConsoleOutputCommand,
  ModifyInstanceAttributeCommand,
  RebootInstancesCommand,
  RunInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SimClock } from "../../harness/sim-clock.ts";
import { describe as describeInstance, LAUNCH, run, untilState } from "../machine.ts";
import { refusalOf, startApi, type TestApi } from "./api.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api[Symbol.asyncDispose]());

describe("RunInstances", () => {
  test("answers a pending instance with all that was asked for, which then runs", async () => {
    const { Instances, ReservationId } = await api.ec2.send(
      new RunInstancesCommand({
        ...LAUNCH,
        Placement: { AvailabilityZone: "us-west-2d" },
        IamInstanceProfile: { Name: "archiver" },
        SecurityGroupIds: ["sg-0123456789abcdef0"],
        ClientToken: "all-that-was-asked-for",
        TagSpecifications: [
          { ResourceType: "instance", Tags: [{ Key: "Name", Value: '<archiver> & "friends"' }] },
          { ResourceType: "volume", Tags: [{ Key: "of", Value: "archiver" }] },
        ],
      }),
    );
    expect(ReservationId).toMatch(/^r-[0-9a-f]{17}$/);
    expect(Instances).toHaveLength(1);
    const [instance] = Instances ?? [];
    expect(instance).toMatchObject({
      InstanceId: expect.stringMatching(/^i-[0-9a-f]{17}$/),
      State: { Code: 0, Name: "pending" },
      ImageId: LAUNCH.ImageId,
      InstanceType: "t4g.nano",
      KeyName: "lazyssh-dev",
      Placement: { AvailabilityZone: "us-west-2d" },
      ClientToken: "all-that-was-asked-for",
      Tags: [{ Key: "Name", Value: '<archiver> & "friends"' }],
      SecurityGroups: [{ GroupId: "sg-0123456789abcdef0" }],
      IamInstanceProfile: { Arn: "arn:aws:iam::123456789012:instance-profile/archiver" },
    });
    expect(instance?.PublicIpAddress).toBeUndefined();
    const id = instance?.InstanceId ?? "";
    const running = await untilState(api, id, "running");
    expect(running.PublicIpAddress).toMatch(/^127\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.\d+\.\d+$/);
    expect(running.LaunchTime).toBeInstanceOf(Date);
    const root = running.BlockDeviceMappings?.[0];
    expect(root).toMatchObject({ DeviceName: "/dev/xvda", Ebs: { DeleteOnTermination: true } });
    const { Volumes } = await api.ec2.send(
      new DescribeVolumesCommand({ Filters: [{ Name: "attachment.instance-id", Values: [id] }] }),
    );
    expect(Volumes?.map(({ Tags }) => Tags)).toEqual([[{ Key: "of", Value: "archiver" }]]);
  });

  test("makes as many as MaxCount says, in one reservation", async () => {
    const { Instances } = await api.ec2.send(
      new RunInstancesCommand({ ...LAUNCH, MinCount: 2, MaxCount: 3 }),
    );
    expect(new Set(Instances?.map(({ InstanceId }) => InstanceId)).size).toBe(3);
    expect(Instances?.map(({ AmiLaunchIndex }) => AmiLaunchIndex)).toEqual([0, 1, 2]);
  });

  test("answers the same instance for the same token, and refuses it once that is terminated", async () => {
    const first = await run(api, { ClientToken: "once" });
    expect(await run(api, { ClientToken: "once" })).toBe(first);
    await api.ec2.send(new TerminateInstancesCommand({ InstanceIds: [first] }));
    await untilState(api, first, "terminated");
    expect(await refusalOf(run(api, { ClientToken: "once" }))).toEqual({
      code: "IdempotentInstanceTerminated",
      message:
        "The client token you have provided is associated with a terminated instance. Please use a different client token.",
      status: 400,
    });
    expect(await run(api, { ClientToken: "twice" })).not.toBe(first);
  });

  test("remembers a token when its instance is not listed any more", async () => {
    const clock = new SimClock();
    await using timed = await startApi({ clock });
    const id = await run(timed, { ClientToken: "long ago" });
    await timed.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
    await clock.advance(20 * 3_600_000);
    expect(await refusalOf(describeInstance(timed, id))).toMatchObject({
      code: "InvalidInstanceID.NotFound",
    });
    expect(await refusalOf(run(timed, { ClientToken: "long ago" }))).toMatchObject({
      code: "IdempotentInstanceTerminated",
    });
  });

  test("refuses the same token with other parameters", async () => {
    await run(api, { ClientToken: "fixed" });
    const other = { ...LAUNCH, ClientToken: "fixed", InstanceType: "t4g.micro" as const };
    expect(await refusalOf(api.ec2.send(new RunInstancesCommand(other)))).toMatchObject({
      code: "IdempotentParameterMismatch",
      status: 400,
    });
  });

  test.each([
    ["a malformed image id", { ImageId: "ami-nonsense" }, "InvalidAMIID.Malformed"],
    ["an unknown image", { ImageId: "ami-00000000000000bad" }, "InvalidAMIID.NotFound"],
    ["an unknown key pair", { KeyName: "nobody" }, "InvalidKeyPair.NotFound"],
    ["an unknown subnet", { SubnetId: "subnet-00000000000000bad" }, "InvalidSubnetID.NotFound"],
    ["an unknown zone", { Placement: { AvailabilityZone: "us-west-2z" } }, "InvalidParameterValue"],
    ["an instance type that is none", { InstanceType: "enormous" as never }, "InvalidParameterValue"],
    ["a count below one", { MinCount: 0 }, "InvalidParameterValue"],
    ["a token over 64 characters", { ClientToken: "x".repeat(65) }, "InvalidParameterValue"],
    [
      "user data over 16 KB",
      { UserData: Buffer.alloc(16385, "a").toString("base64") },
      "InvalidParameterValue",
    ],
    ["user data that is not base64", { UserData: "#!/bin/sh" }, "InvalidParameterValue"],
    [
      "a volume smaller than its type allows",
      {
        BlockDeviceMappings: [
          { DeviceName: "/dev/sdb", Ebs: { VolumeSize: 124, VolumeType: "sc1" as const } },
        ],
      },
      "InvalidParameterValue",
    ],
    [
      "a device named twice",
      { BlockDeviceMappings: [1, 2].map((VolumeSize) => ({ DeviceName: "/dev/sdb", Ebs: { VolumeSize } })) },
      "InvalidBlockDeviceMapping",
    ],
  ])("refuses %s", async (_what, parameters, code) => {
    const before = api.cloud.instances.size;
    expect(
      await refusalOf(api.ec2.send(new RunInstancesCommand({ ...LAUNCH, ...parameters }))),
    ).toMatchObject({
      code,
      status: 400,
    });
    expect(api.cloud.instances.size).toBe(before);
  });

  test("decodes user data and tells it again when asked", async () => {
    const id = await run(api, { UserData: Buffer.from("#!/bin/sh\necho ä\n").toString("base64") });
    expect(api.cloud.instances.get(id)?.userData).toBe("#!/bin/sh\necho ä\n");
    const told = await api.ec2.send(
      new DescribeInstanceAttributeCommand({ InstanceId: id, Attribute: "userData" }),
    );
    expect(Buffer.from(told.UserData?.Value ?? "", "base64").toString()).toBe("#!/bin/sh\necho ä\n");
  });

  test("makes the volumes of the block device mapping and deletes those it should", async () => {
    const id = await run(api, {
      BlockDeviceMappings: [
        { DeviceName: "/dev/sdb", Ebs: { VolumeSize: 10, VolumeType: "gp3", DeleteOnTermination: false } },
        { DeviceName: "/dev/sdc", Ebs: { VolumeSize: 11, Encrypted: true } },
      ],
    });
    const held = api.cloud.attachedTo(id);
    expect(held.map(({ size }) => size).sort()).toEqual([10, 11, 8]);
    await untilState(api, id, "running");
    await api.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
    await untilState(api, id, "terminated");
    expect(held.filter((volume) => api.cloud.volumes.has(volume.id)).map(({ size }) => size)).toEqual([10]);
  });
});

describe("TerminateInstances", () => {
  test("goes through shutting-down to terminated, which stays listed without addresses", async () => {
    const id = await run(api);
    await untilState(api, id, "running");
    const { TerminatingInstances } = await api.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
    expect(TerminatingInstances).toEqual([
      {
        InstanceId: id,
        PreviousState: { Code: 16, Name: "running" },
        CurrentState: { Code: 32, Name: "shutting-down" },
      },
    ]);
    const gone = await untilState(api, id, "terminated");
    expect(gone.StateReason).toEqual({
      Code: "Client.UserInitiatedShutdown",
      Message: "Client.UserInitiatedShutdown: User initiated shutdown",
    });
    expect([gone.PublicIpAddress, gone.PrivateIpAddress]).toEqual([undefined, undefined]);
    const again = await api.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
    expect(again.TerminatingInstances?.[0]?.CurrentState?.Name).toBe("terminated");
  });

  test("ends a pending instance too", async () => {
    const id = await run(api);
    await api.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
    await untilState(api, id, "terminated");
  });

  test("touches none when one of several is unknown", async () => {
    const id = await run(api);
    const unknown = "i-00000000000000bad";
    expect(
      await refusalOf(api.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id, unknown] }))),
    ).toEqual({
      code: "InvalidInstanceID.NotFound",
      message: `The instance ID '${unknown}' does not exist`,
      status: 400,
    });
    expect((await describeInstance(api, id)).State?.Name).not.toBe("shutting-down");
  });

  test("refuses a protected instance until the protection is lifted", async () => {
    const id = await run(api);
    const protect = (Value: boolean) =>
      api.ec2.send(new ModifyInstanceAttributeCommand({ InstanceId: id, DisableApiTermination: { Value } }));
    await protect(true);
    const terminate = () => api.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
    expect(await refusalOf(terminate())).toMatchObject({ code: "OperationNotPermitted" });
    await protect(false);
    await terminate();
  });
});

describe("DescribeInstances", () => {
  test("tells a malformed id from an unknown one", async () => {
    const ask = (id: string) => refusalOf(api.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] })));
    expect(await ask("i-oops")).toMatchObject({ code: "InvalidInstanceID.Malformed" });
    expect(await ask("i-00000000000000bad")).toMatchObject({ code: "InvalidInstanceID.NotFound" });
  });

  test("filters by state, tag, token, id and wildcards, all of which must hold", async () => {
    const id = await run(api, {
      ClientToken: "filtered",
      TagSpecifications: [{ ResourceType: "instance", Tags: [{ Key: "lazyssh:owner", Value: "me" }] }],
    });
    const found = async (...filters: [Name: string, ...Values: string[]][]) => {
      const Filters = filters.map(([Name, ...Values]) => ({ Name, Values }));
      const { Reservations } = await api.ec2.send(new DescribeInstancesCommand({ Filters }));
      return (
        Reservations?.flatMap(({ Instances }) => Instances ?? []).map(({ InstanceId }) => InstanceId) ?? []
      );
    };
    expect(await found(["tag:lazyssh:owner", "me"])).toEqual([id]);
    expect(await found(["tag-key", "lazyssh:*"])).toEqual([id]);
    expect(await found(["client-token", "filter?d"])).toEqual([id]);
    expect(await found(["client-token", "filtered"], ["instance-id", id])).toEqual([id]);
    expect(
      await found(["client-token", "filtered"], ["instance-state-name", "stopped", "terminated"]),
    ).toEqual([]);
    const [root] = api.cloud.attachedTo(id);
    expect(await found(["block-device-mapping.volume-id", root?.id ?? ""])).toEqual([id]);
    expect(await refusalOf(found(["favourite-colour", "red"]))).toMatchObject({
      code: "InvalidParameterValue",
    });
  });

  test("pages through what there is", async () => {
    await using own = await startApi();
    await own.ec2.send(new RunInstancesCommand({ ...LAUNCH, MinCount: 12, MaxCount: 12 }));
    const sizes: number[] = [];
    let NextToken: string | undefined;
    do {
      const page = await own.ec2.send(
        new DescribeInstancesCommand({ MaxResults: 5, ...(NextToken && { NextToken }) }),
      );
      sizes.push(page.Reservations?.flatMap(({ Instances }) => Instances ?? []).length ?? 0);
      NextToken = page.NextToken;
    } while (NextToken);
    expect(sizes).toEqual([5, 5, 2]);
  });
});

describe("stop, start and reboot", () => {
  test("stops and starts an instance, which then has another address", async () => {
    const id = await run(api);
    const before = await untilState(api, id, "running");
    await api.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
    await untilState(api, id, "stopped");
    await api.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }));
    const after = await untilState(api, id, "running");
    expect(after.PublicIpAddress).not.toBe(before.PublicIpAddress);
    await api.ec2.send(new RebootInstancesCommand({ InstanceIds: [id] }));
    expect((await describeInstance(api, id)).State?.Name).toBe("running");
  });
});

test("a pending instance cannot be stopped", async () => {
  await using slow = await startApi({ delays: { pendingMs: 60_000 } });
  const id = await run(slow);
  const stop = new StopInstancesCommand({ InstanceIds: [id] });
  expect(await refusalOf(slow.ec2.send(stop))).toMatchObject({ code: "IncorrectInstanceState" });
});

test("a terminated instance is listed for an hour", async () => {
  const clock = new SimClock();
  await using timed = await startApi({ clock });
  const id = await run(timed);
  await timed.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
  await clock.advance(3_600_000);
  expect((await describeInstance(timed, id)).State?.Name).toBe("terminated");
  await clock.advance(60_000);
  expect(await refusalOf(describeInstance(timed, id))).toMatchObject({ code: "InvalidInstanceID.NotFound" });
});

test("DescribeInstanceStatus shows running instances only, unless all are asked for", async () => {
  const id = await run(api);
  await untilState(api, id, "running");
  const status = async (IncludeAllInstances: boolean) =>
    (await api.ec2.send(new DescribeInstanceStatusCommand({ InstanceIds: [id], IncludeAllInstances })))
      .InstanceStatuses;
  expect(await status(false)).toMatchObject([{ InstanceId: id, InstanceStatus: { Status: "ok" } }]);
  await api.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
  await untilState(api, id, "terminated");
  expect(await status(false)).toEqual([]);
  expect(await status(true)).toMatchObject([{ InstanceState: { Name: "terminated" } }]);
});

test("GetConsoleOutput answers what the machine has printed", async () => {
  const id = await run(api);
  const { Output } = await api.ec2.send(new GetConsoleOutputCommand({ InstanceId: id }));
  expect(Buffer.from(Output ?? "", "base64").toString()).toBe(`${id} booted\n`);
});
