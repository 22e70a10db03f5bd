import {
  DescribeInstancesCommand,
  DescribeVolumesCommand,
  ModifyInstanceAttributeCommand,
} from "@aws-sdk/client-ec2";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { AwsEc2Target } from "../../../src/config/types.ts";
import { DEV_IMAGE, SUBNETS } from "../../../src/dev/cloud/region.ts";
import { createAwsEc2Provider } from "../../../src/providers/aws-ec2/provider.ts";
import { targetWith } from "../../harness/target.ts";
import { eventually, startWorld, type TestWorld } from "../../harness/world.ts";
import { failureOf, isolateSdk, never, order } from "./fixture.ts";

/** Long enough to ask for something while the machine is pending, also on a slow computer. */
const SLOW = { pendingMs: 2_000 };
const QUICK = { pendingMs: 100 };

let harness: TestWorld;
beforeAll(async () => {
  harness = await startWorld({ delays: QUICK });
});
afterAll(() => harness.stop());
beforeEach(isolateSdk);
afterEach(() => {
  harness.world.faults.clear();
  harness.world.setDelays(QUICK);
  vi.unstubAllEnvs();
});

let launches = 0;
const freshToken = () => `world-${launches++}`;
const attachVolumes = () => [{ deviceName: "/dev/sdf", volumeId: harness.world.volumeId }];

function providerFor(patch: Partial<AwsEc2Target> = {}, owner = "server-1") {
  const { endpoint, region } = harness.world;
  const target = targetWith({ endpoint, region, imageId: DEV_IMAGE, keyName: "lazyssh-dev", ...patch });
  return createAwsEc2Provider(target, { owner });
}

type Verbs = ReturnType<typeof providerFor>;

const reaches = (verbs: Verbs, id: string, phase: string) =>
  eventually(`${id} to be ${phase}`, async () => {
    const machine = await verbs.describe(id, never);
    return machine.phase === phase && machine;
  });

async function ended(verbs: Verbs, id: string): Promise<void> {
  await verbs.destroy(id, never);
  await reaches(verbs, id, "gone");
  await eventually("free volumes", async () => (await verbs.volumesFree(never)).done);
}

test("a whole life: create, describe, attach, destroy, volumes free, and again", async () => {
  const verbs = providerFor({ attachVolumes: attachVolumes(), availabilityZone: "us-west-2d" });
  const { volumeId } = harness.world;
  harness.world.setDelays(SLOW);
  const token = freshToken();
  expect(await verbs.volumesFree(never)).toEqual({ done: true });

  const made = await verbs.create(order(token), never);
  expect(made).toMatchObject({ phase: "pending", token, reason: undefined });
  const { id } = made;
  expect(await verbs.attach(id, never)).toEqual({
    done: false,
    waitingFor: `${volumeId} cannot be attached yet: ${id} is pending`,
  });
  expect(await verbs.create(order(token), never)).toMatchObject({ id });
  expect(await verbs.find(token, never)).toMatchObject({ id });
  expect((await verbs.list(never)).map((machine) => machine.id)).toEqual([id]);

  const { address } = await reaches(verbs, id, "running");
  expect(address).toMatch(/^127\./);
  await eventually("the volume to be attached", async () => (await verbs.attach(id, never)).done);
  expect(await verbs.volumesFree(never)).toEqual({
    done: false,
    waitingFor: `${volumeId} is in-use by ${id} (/dev/sdf)`,
  });

  await verbs.destroy(id, never);
  await verbs.destroy(id, never);
  const gone = await reaches(verbs, id, "gone");
  expect(gone.reason).toContain("User initiated shutdown");
  expect(gone.address).toBeUndefined();
  expect(await verbs.find(token, never)).toMatchObject({ id, phase: "gone" });
  expect(await verbs.list(never)).toEqual([]);
  await eventually("the volume to be free", async () => (await verbs.volumesFree(never)).done);

  const next = await verbs.create(order(freshToken()), never);
  expect(next.id).not.toBe(id);
  await ended(verbs, next.id);
});

test("a volume that another machine holds is waited for by name, and left to it", async () => {
  const verbs = providerFor({ attachVolumes: attachVolumes() });
  const [first, second] = await Promise.all([
    verbs.create(order(freshToken()), never),
    verbs.create(order(freshToken()), never),
  ]);
  await reaches(verbs, first.id, "running");
  await reaches(verbs, second.id, "running");
  await eventually("the volume to be attached", async () => (await verbs.attach(first.id, never)).done);
  expect(await verbs.attach(second.id, never)).toEqual({
    done: false,
    waitingFor: `${harness.world.volumeId} is in-use by ${first.id} (/dev/sdf)`,
  });
  await verbs.destroy(second.id, never);
  await ended(verbs, first.id);
});

test("a machine in another zone than its volume is told both zones", async () => {
  const elsewhere = SUBNETS.find(({ zone }) => zone !== "us-west-2d");
  const verbs = providerFor({ attachVolumes: attachVolumes(), subnetIds: [elsewhere?.id ?? ""] });
  const { id } = await verbs.create(order(freshToken()), never);
  await reaches(verbs, id, "running");
  const error = await failureOf(verbs.attach(id, never));
  expect(error).toMatchObject({ code: "VOLUME_MISMATCH", retryable: false });
  expect(error.message).toContain(`is in zone us-west-2d, the machine in ${elsewhere?.zone}`);
  await ended(verbs, id);
});

test("every attribute of a launch arrives at the machine", async () => {
  const verbs = providerFor({
    imageId: undefined,
    image: { owners: ["self"], name: "lazyssh-*", mostRecent: true },
    instanceTypes: [],
    keyName: undefined,
    launchTemplate: { id: undefined, name: "lazyssh-dev", version: "$Latest" },
    subnetIds: [SUBNETS[1]?.id ?? ""],
    securityGroupIds: ["sg-0123456789abcdef0"],
    associatePublicIpAddress: false,
    tags: { Name: "tape", project: "backup" },
    ebsBlockDevices: [
      {
        deviceName: "/dev/xvda",
        deleteOnTermination: true,
        encrypted: undefined,
        kmsKeyId: undefined,
        snapshotId: undefined,
        volumeSize: 9,
        volumeType: "gp3",
        iops: undefined,
        throughput: 250,
      },
    ],
  });
  const { id } = await verbs.create(order(freshToken()), never);
  const running = await reaches(verbs, id, "running");
  const { Reservations } = await harness.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
  const instance = Reservations?.[0]?.Instances?.[0];
  expect(instance).toMatchObject({
    ImageId: DEV_IMAGE,
    InstanceType: "t4g.small",
    KeyName: "lazyssh-dev",
    SubnetId: SUBNETS[1]?.id,
    SecurityGroups: [{ GroupId: "sg-0123456789abcdef0" }],
    MetadataOptions: { HttpTokens: "required" },
    PrivateIpAddress: running.address,
  });
  expect(instance?.PublicIpAddress).toBeUndefined();
  const tags = [
    { Key: "Name", Value: "tape" },
    { Key: "project", Value: "backup" },
    { Key: "lazyssh:target", Value: "archiver" },
  ];
  expect(instance?.Tags).toEqual(expect.arrayContaining(tags));
  const Filters = [{ Name: "attachment.instance-id", Values: [id] }];
  const { Volumes } = await harness.ec2.send(new DescribeVolumesCommand({ Filters }));
  expect(Volumes).toMatchObject([{ Size: 9, Throughput: 250, Tags: expect.arrayContaining(tags) }]);
  expect((await verbs.list(never)).map((machine) => machine.id)).toEqual([id]);
  await ended(verbs, id);
});

test("another server's machines are not seen", async () => {
  const verbs = providerFor();
  const { id } = await verbs.create(order(freshToken()), never);
  expect(await providerFor({}, "server-2").list(never)).toEqual([]);
  const seen = await providerFor({ name: "builder" }).list(never);
  expect(seen).toMatchObject([{ id, target: "archiver" }]);
  await ended(verbs, id);
});

test("a token that was spent on other parameters answers the machine it made", async () => {
  const token = freshToken();
  const { id } = await providerFor().create(order(token), never);
  const changed = providerFor({ instanceTypes: ["t4g.small"] });
  expect(await changed.create(order(token), never)).toMatchObject({ id });
  await ended(changed, id);
});

test("two servers with the same token and other notes have one machine", async () => {
  const token = freshToken();
  const [first, second] = [providerFor(), providerFor()];
  const { id } = await first.create(order(token, { notes: { "lease:a": "1" } }), never);
  const same = await second.create(order(token, { notes: { "lease:b": "1" } }), never);
  expect(same).toMatchObject({ id, token, notes: { "lease:a": "1" } });
  await second.annotate(id, { "lease:b": "2", "lease:a": undefined }, never);
  expect((await first.list(never)).map(({ notes }) => notes)).toEqual([{ "lease:b": "2" }]);
  await ended(first, id);
});

test("a machine of any alternative is found by the launch", async () => {
  const verbs = providerFor({ instanceTypes: ["t4g.nano", "t4g.small"] });
  const token = freshToken();
  const { id } = await verbs.create(order(token, { alternative: 1 }), never);
  expect(await verbs.find(token, never)).toMatchObject({ id, token });
  expect(await verbs.list(never)).toMatchObject([{ id, token }]);
  await ended(verbs, id);
  expect(await verbs.list(never, { gone: true })).toEqual(
    expect.arrayContaining([expect.objectContaining({ id, phase: "gone" })]),
  );
});

test("a machine rests with its volume, and starts again", async () => {
  const verbs = providerFor({ attachVolumes: attachVolumes(), stopMode: "stop" });
  const { id } = await verbs.create(order(freshToken()), never);
  await reaches(verbs, id, "running");
  await eventually("the volume to be attached", async () => (await verbs.attach(id, never)).done);
  await verbs.rest(id, { hibernate: false }, never);
  await reaches(verbs, id, "resting");
  await verbs.rest(id, { hibernate: false }, never);
  expect(await verbs.list(never)).toMatchObject([{ id, phase: "resting" }]);
  expect(await verbs.volumes(never)).toMatchObject([{ id: harness.world.volumeId, holders: [id] }]);
  await verbs.start(id, never);
  await reaches(verbs, id, "running");
  await verbs.start(id, never);
  expect(await verbs.attach(id, never)).toEqual({ done: true });
  await ended(verbs, id);
});

test("preflight starts nothing, and names what would go wrong", async () => {
  const right = { attachVolumes: attachVolumes(), availabilityZone: "us-west-2d" };
  expect(await providerFor(right).preflight(never)).toEqual([]);
  const elsewhere = SUBNETS.find(({ zone }) => zone !== "us-west-2d")?.id ?? "";
  const wrong = { attachVolumes: attachVolumes(), subnetIds: [elsewhere], imageId: "ami-0badbadbadbadbad0" };
  const findings = await providerFor(wrong).preflight(never);
  expect(findings.map(({ text }) => text)).toEqual([
    expect.stringContaining("is in zone us-west-2d, subnet"),
    expect.stringContaining("image ami-0badbadbadbadbad0 does not exist"),
  ]);
  expect(await providerFor().list(never)).toEqual([]);
});

test("a volume that somebody has set to be deleted keeps its machine alive until that is undone", async () => {
  const verbs = providerFor({ attachVolumes: attachVolumes() });
  const { id } = await verbs.create(order(freshToken()), never);
  await reaches(verbs, id, "running");
  await eventually("the volume to be attached", async () => (await verbs.attach(id, never)).done);
  const deleteWithInstance = (value: boolean) =>
    harness.ec2.send(
      new ModifyInstanceAttributeCommand({
        InstanceId: id,
        BlockDeviceMappings: [{ DeviceName: "/dev/sdf", Ebs: { DeleteOnTermination: value } }],
      }),
    );
  await deleteWithInstance(true);
  expect(await failureOf(verbs.attach(id, never))).toMatchObject({
    code: "VOLUME_MISMATCH",
    retryable: false,
  });
  expect(await failureOf(verbs.destroy(id, never))).toMatchObject({ code: "VOLUME_MISMATCH" });
  expect(await verbs.describe(id, never)).toMatchObject({ phase: "running" });
  await deleteWithInstance(false);
  await ended(verbs, id);
});

describe("faults", () => {
  test.each(["drop-after", "error-after"] as const)(
    "an order whose answer was lost (%s) is found",
    async (kind) => {
      const verbs = providerFor();
      const token = freshToken();
      harness.world.faults.set([{ action: "RunInstances", kind, times: 1 }]);
      expect(await failureOf(verbs.create(order(token), never))).toMatchObject({ retryable: true });
      const found = await verbs.find(token, never);
      expect(found).toMatchObject({ token });
      expect(await verbs.create(order(token), never)).toMatchObject({ id: found?.id });
      await ended(verbs, found?.id ?? "");
    },
  );

  test("an attachment whose answer was lost is seen as made", async () => {
    const verbs = providerFor({ attachVolumes: attachVolumes() });
    const { id } = await verbs.create(order(freshToken()), never);
    await reaches(verbs, id, "running");
    harness.world.faults.set([{ action: "AttachVolume", kind: "drop-after", times: 1 }]);
    expect(await failureOf(verbs.attach(id, never))).toMatchObject({
      code: "CLOUD_UNREACHABLE",
      retryable: true,
    });
    await eventually("the volume to be attached", async () => (await verbs.attach(id, never)).done);
    await ended(verbs, id);
  });

  test("no capacity is told as such, and nothing is made", async () => {
    const verbs = providerFor();
    harness.world.faults.set([{ action: "RunInstances", kind: "capacity" }]);
    const error = await failureOf(verbs.create(order(freshToken()), never));
    expect(error).toMatchObject({ code: "NO_CAPACITY", retryable: false });
    expect(error.message).toContain("do not have sufficient t4g.nano capacity");
    expect(await verbs.list(never)).toEqual([]);
  });

  test("a machine that dies while pending says why", async () => {
    const verbs = providerFor();
    harness.world.faults.set([
      {
        action: "RunInstances",
        kind: "dies-pending",
        code: "Client.VolumeLimitExceeded",
        reason: "too many",
      },
    ]);
    const { id } = await verbs.create(order(freshToken()), never);
    const gone = await reaches(verbs, id, "gone");
    expect(gone.reason).toBe("Client.VolumeLimitExceeded: too many");
  });

  test("a machine that the cloud does not show yet is MACHINE_NOT_FOUND, or not seen", async () => {
    const verbs = providerFor();
    const token = freshToken();
    const { id } = await verbs.create(order(token), never);
    harness.world.faults.set([{ action: "Describe*", kind: "stale", ms: 60_000 }]);
    expect(await failureOf(verbs.describe(id, never))).toMatchObject({
      code: "MACHINE_NOT_FOUND",
      retryable: true,
    });
    expect(await verbs.find(token, never)).toBeUndefined();
    harness.world.faults.clear();
    harness.world.setDelays(QUICK);
    await ended(verbs, id);
  });

  test("an image that does not exist is named with the region", async () => {
    const verbs = providerFor({ imageId: "ami-0badbadbadbadbad0" });
    const error = await failureOf(verbs.create(order(freshToken()), never));
    expect(error).toMatchObject({ code: "BAD_REQUEST", retryable: false });
    expect(error.message).toContain("image ami-0badbadbadbadbad0 does not exist");
    expect(error.message).toContain("region us-west-2");
  });
});
