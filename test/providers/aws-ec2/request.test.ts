import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { AwsEc2Target } from "../../../src/config/types.ts";
import { createAwsEc2Provider } from "../../../src/providers/aws-ec2/provider.ts";
import { ownFilters, runInstancesInput } from "../../../src/providers/aws-ec2/request.ts";
import { ec2Success, type ScriptedEc2, startScriptedEc2 } from "../../harness/scripted-ec2.ts";
import { targetWith } from "../../harness/target.ts";
import { instanceXml, isolateSdk, never, order } from "./fixture.ts";

let ec2: ScriptedEc2;
beforeEach(async () => {
  isolateSdk();
  ec2 = await startScriptedEc2();
  ec2.on(
    "RunInstances",
    ec2Success("RunInstances", `<instancesSet>${instanceXml("i-1", "pending")}</instancesSet>`),
  );
});
afterEach(async () => {
  await ec2[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

const tagParams = (specification: number, resource: string) => ({
  [`TagSpecification.${specification}.ResourceType`]: resource,
  [`TagSpecification.${specification}.Tag.1.Key`]: "Name",
  [`TagSpecification.${specification}.Tag.1.Value`]: "archiver",
  [`TagSpecification.${specification}.Tag.2.Key`]: "lazyssh:owner",
  [`TagSpecification.${specification}.Tag.2.Value`]: "server-1",
  [`TagSpecification.${specification}.Tag.3.Key`]: "lazyssh:target",
  [`TagSpecification.${specification}.Tag.3.Value`]: "archiver",
  [`TagSpecification.${specification}.Tag.4.Key`]: "lazyssh:launch",
  [`TagSpecification.${specification}.Tag.4.Value`]: "token-1",
});

const always = {
  MinCount: "1",
  MaxCount: "1",
  ClientToken: "token-1",
  ImageId: "ami-1",
  InstanceType: "t4g.nano",
  KeyName: "operator",
  InstanceInitiatedShutdownBehavior: "terminate",
  "MetadataOptions.HttpTokens": "required",
  ...tagParams(1, "instance"),
  ...tagParams(2, "volume"),
  ...tagParams(3, "network-interface"),
};

/** What is not sent of `always`, when the tags of the interface are left to the launch template. */
const noInterfaceTags = Object.fromEntries(
  Object.keys(tagParams(3, "network-interface")).map((name) => [name, undefined]),
);

test("a minimal target sends what is needed and not one parameter more", async () => {
  const provider = createAwsEc2Provider(targetWith({ endpoint: ec2.endpoint }), { owner: "server-1" });
  await provider.create(order("token-1"), never);
  expect(ec2.requests.map(({ action, params }) => ({ action, params }))).toEqual([
    { action: "RunInstances", params: always },
  ]);
});

test("every attribute arrives on the wire under its EC2 name", async () => {
  const target = targetWith({
    endpoint: ec2.endpoint,
    subnetIds: ["subnet-1"],
    userData: "#!/bin/sh\necho grüße > /etc/motd\n",
    iamInstanceProfile: "archiver-role",
    availabilityZone: "us-west-2d",
    ebsBlockDevices: [
      {
        deviceName: "/dev/sda1",
        deleteOnTermination: true,
        encrypted: true,
        kmsKeyId: "alias/backup",
        snapshotId: "snap-1",
        volumeSize: 125,
        volumeType: "io1",
        iops: 200,
        throughput: undefined,
      },
      {
        deviceName: "/dev/sdb",
        deleteOnTermination: false,
        encrypted: undefined,
        kmsKeyId: undefined,
        snapshotId: undefined,
        volumeSize: undefined,
        volumeType: undefined,
        iops: undefined,
        throughput: 300,
      },
    ],
    attachVolumes: [{ deviceName: "/dev/sdf", volumeId: "vol-1" }],
  });
  await createAwsEc2Provider(target, { owner: "server-1" }).create(order("token-1"), never);
  expect(ec2.requests.at(-1)?.params).toEqual({
    ...always,
    SubnetId: "subnet-1",
    UserData: Buffer.from("#!/bin/sh\necho grüße > /etc/motd\n").toString("base64"),
    "IamInstanceProfile.Name": "archiver-role",
    "Placement.AvailabilityZone": "us-west-2d",
    "BlockDeviceMapping.1.DeviceName": "/dev/sda1",
    "BlockDeviceMapping.1.Ebs.DeleteOnTermination": "true",
    "BlockDeviceMapping.1.Ebs.Encrypted": "true",
    "BlockDeviceMapping.1.Ebs.KmsKeyId": "alias/backup",
    "BlockDeviceMapping.1.Ebs.SnapshotId": "snap-1",
    "BlockDeviceMapping.1.Ebs.VolumeSize": "125",
    "BlockDeviceMapping.1.Ebs.VolumeType": "io1",
    "BlockDeviceMapping.1.Ebs.Iops": "200",
    "BlockDeviceMapping.2.DeviceName": "/dev/sdb",
    "BlockDeviceMapping.2.Ebs.DeleteOnTermination": "false",
    "BlockDeviceMapping.2.Ebs.Throughput": "300",
  });
});

/** In what the parameters of a launch differ from `always`; one that is not sent is undefined. */
async function extraOf(patch: Partial<AwsEc2Target>): Promise<Record<string, string | undefined>> {
  const provider = createAwsEc2Provider(targetWith({ endpoint: ec2.endpoint, ...patch }), {
    owner: "server-1",
  });
  await provider.create(order("token-1"), never);
  const { params = {} } = ec2.requests.at(-1) ?? {};
  const usual: Readonly<Record<string, string>> = always;
  const names = new Set([...Object.keys(params), ...Object.keys(usual)]);
  const changed = [...names].filter((name) => params[name] !== usual[name]);
  return Object.fromEntries(changed.map((name) => [name, params[name]]));
}

describe("one attribute alone", () => {
  const groups = { securityGroupIds: ["sg-1", "sg-2"] };
  const fromTemplate = {
    imageId: undefined,
    instanceTypes: [],
    keyName: undefined,
    metadataOptions: undefined,
  };
  const leftOut = {
    ImageId: undefined,
    InstanceType: undefined,
    KeyName: undefined,
    "MetadataOptions.HttpTokens": undefined,
    ...noInterfaceTags,
  };

  test.each<[string, Partial<AwsEc2Target>, Record<string, string | undefined>]>([
    ["nothing", {}, {}],
    ["security groups", groups, { "SecurityGroupId.1": "sg-1", "SecurityGroupId.2": "sg-2" }],
    [
      "a public address, with subnet and groups in the interface",
      { associatePublicIpAddress: true, subnetIds: ["subnet-1"], ...groups },
      {
        "NetworkInterface.1.DeviceIndex": "0",
        "NetworkInterface.1.AssociatePublicIpAddress": "true",
        "NetworkInterface.1.DeleteOnTermination": "true",
        "NetworkInterface.1.SubnetId": "subnet-1",
        "NetworkInterface.1.SecurityGroupId.1": "sg-1",
        "NetworkInterface.1.SecurityGroupId.2": "sg-2",
      },
    ],
    [
      "no public address",
      { associatePublicIpAddress: false },
      {
        "NetworkInterface.1.DeviceIndex": "0",
        "NetworkInterface.1.AssociatePublicIpAddress": "false",
        "NetworkInterface.1.DeleteOnTermination": "true",
      },
    ],
    [
      "metadata options",
      {
        metadataOptions: { httpTokens: "optional", httpPutResponseHopLimit: 2, httpEndpoint: "disabled" },
      },
      {
        "MetadataOptions.HttpTokens": "optional",
        "MetadataOptions.HttpPutResponseHopLimit": "2",
        "MetadataOptions.HttpEndpoint": "disabled",
      },
    ],
    [
      "a launch template by id, to which everything is left",
      { ...fromTemplate, launchTemplate: { id: "lt-1", name: undefined, version: "$Latest" } },
      { ...leftOut, "LaunchTemplate.LaunchTemplateId": "lt-1", "LaunchTemplate.Version": "$Latest" },
    ],
    [
      "a launch template by name, whose type is overridden",
      {
        ...fromTemplate,
        instanceTypes: ["t4g.nano"],
        launchTemplate: { id: undefined, name: "backup", version: undefined },
      },
      {
        ImageId: undefined,
        KeyName: undefined,
        "MetadataOptions.HttpTokens": undefined,
        "LaunchTemplate.LaunchTemplateName": "backup",
        ...noInterfaceTags,
      },
    ],
    [
      "a machine that is to hibernate",
      { stopMode: "hibernate" },
      { "HibernationOptions.Configured": "true" },
    ],
    ["a machine that is to be stopped, and still ends when its guest powers off", { stopMode: "stop" }, {}],
    [
      "a guest that reads its expiry",
      { deadManMs: 600_000 },
      { "MetadataOptions.InstanceMetadataTags": "enabled" },
    ],
    [
      "a guest that reads its expiry, whatever else the launch template says of metadata",
      {
        ...fromTemplate,
        deadManMs: 600_000,
        launchTemplate: { id: "lt-1", name: undefined, version: undefined },
      },
      {
        ...leftOut,
        "LaunchTemplate.LaunchTemplateId": "lt-1",
        "MetadataOptions.InstanceMetadataTags": "enabled",
      },
    ],
    [
      "a public address beside a launch template, so that the interface is ours",
      { launchTemplate: { id: "lt-1", name: undefined, version: undefined }, associatePublicIpAddress: true },
      {
        "LaunchTemplate.LaunchTemplateId": "lt-1",
        "NetworkInterface.1.DeviceIndex": "0",
        "NetworkInterface.1.AssociatePublicIpAddress": "true",
        "NetworkInterface.1.DeleteOnTermination": "true",
      },
    ],
    [
      "an image that is a parameter",
      { imageId: "resolve:ssm:/aws/service/debian/release/12/latest/arm64" },
      { ImageId: "resolve:ssm:/aws/service/debian/release/12/latest/arm64" },
    ],
  ])("%s", async (_what, patch, expected) => {
    // Strictly: a parameter that is left out is there as undefined.
    expect(await extraOf(patch)).toStrictEqual(expected);
  });

  test("tags are on the instance, its volumes and its interface; Name may be another, ours may not", async () => {
    const tags = { Name: "tape", project: "backup & more", "lazyssh:owner": "somebody else" };
    await extraOf({ tags });
    const { params = {} } = ec2.requests.at(-1) ?? {};
    for (const specification of [1, 2, 3]) {
      const sent = [1, 2, 3, 4, 5, 6].map((tag) => [
        params[`TagSpecification.${specification}.Tag.${tag}.Key`],
        params[`TagSpecification.${specification}.Tag.${tag}.Value`],
      ]);
      expect(sent).toEqual([
        ["Name", "tape"],
        ["project", "backup & more"],
        ["lazyssh:owner", "server-1"],
        ["lazyssh:target", "archiver"],
        ["lazyssh:launch", "token-1"],
        [undefined, undefined],
      ]);
    }
  });
});

test("region and credentials of the SDK's chain sign the request", async () => {
  const provider = createAwsEc2Provider(targetWith({ endpoint: ec2.endpoint, region: "eu-north-1" }), {
    owner: "server-1",
  });
  await provider.create(order("token-1"), never);
  expect(ec2.requests[0]?.authorization).toMatch(
    /Credential=AKIDEXAMPLE\/\d+\/eu-north-1\/ec2\/aws4_request/,
  );
});

test("an instance profile may be given by ARN", () => {
  const arn = "arn:aws:iam::123456789012:instance-profile/archiver";
  const input = runInstancesInput(targetWith({ iamInstanceProfile: arn }), {
    imageId: "ami-1",
    owner: "server-1",
    token: "token-1",
    clientToken: "token-1",
    notes: {},
  });
  expect(input.IamInstanceProfile).toEqual({ Arn: arn });
});

test("own machines are sought by owner and every state but terminated, or in every state", () => {
  expect(ownFilters("server-1", { gone: true })).toEqual([
    { Name: "tag:lazyssh:owner", Values: ["server-1"] },
  ]);
  expect(ownFilters("server-1", { gone: false })).toEqual([
    { Name: "tag:lazyssh:owner", Values: ["server-1"] },
    { Name: "instance-state-name", Values: ["pending", "running", "shutting-down", "stopping", "stopped"] },
  ]);
});
