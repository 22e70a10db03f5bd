import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createAwsEc2Provider } from "../../../src/providers/aws-ec2/provider.ts";
import { ownFilters, runInstancesInput } from "../../../src/providers/aws-ec2/request.ts";
import { ec2Success, type ScriptedEc2, startScriptedEc2 } from "../../harness/scripted-ec2.ts";
import { instanceXml, isolateSdk, never, targetWith } from "./fixture.ts";

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
  ...tagParams(1, "instance"),
  ...tagParams(2, "volume"),
};

test("a minimal target sends what is needed and not one parameter more", async () => {
  const provider = createAwsEc2Provider(targetWith({ endpoint: ec2.endpoint }), { owner: "server-1" });
  await provider.create({ token: "token-1" }, never);
  expect(ec2.requests.map(({ action, params }) => ({ action, params }))).toEqual([
    { action: "RunInstances", params: always },
  ]);
});

test("every attribute arrives on the wire under its EC2 name", async () => {
  const target = targetWith({
    endpoint: ec2.endpoint,
    subnetId: "subnet-1",
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
      },
    ],
    attachVolumes: [{ deviceName: "/dev/sdf", volumeId: "vol-1" }],
  });
  await createAwsEc2Provider(target, { owner: "server-1" }).create({ token: "token-1" }, never);
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
  });
});

test("region and credentials of the SDK's chain sign the request", async () => {
  const provider = createAwsEc2Provider(targetWith({ endpoint: ec2.endpoint, region: "eu-north-1" }), {
    owner: "server-1",
  });
  await provider.create({ token: "token-1" }, never);
  expect(ec2.requests[0]?.authorization).toMatch(
    /Credential=AKIDEXAMPLE\/\d+\/eu-north-1\/ec2\/aws4_request/,
  );
});

test("an instance profile may be given by ARN", () => {
  const arn = "arn:aws:iam::123456789012:instance-profile/archiver";
  const input = runInstancesInput(targetWith({ iamInstanceProfile: arn }), "server-1", "token-1");
  expect(input.IamInstanceProfile).toEqual({ Arn: arn });
});

test("own machines are sought by owner and every state but terminated", () => {
  expect(ownFilters("server-1")).toEqual([
    { Name: "tag:lazyssh:owner", Values: ["server-1"] },
    { Name: "instance-state-name", Values: ["pending", "running", "shutting-down", "stopping", "stopped"] },
  ]);
});
