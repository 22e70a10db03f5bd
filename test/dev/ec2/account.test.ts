import {
  CreateTagsCommand,
  DeleteTagsCommand,
  DescribeAvailabilityZonesCommand,
  DescribeImagesCommand,
  DescribeKeyPairsCommand,
  DescribeSpotPriceHistoryCommand,
  DescribeSubnetsCommand,
  DescribeTagsCommand,
  ImportKeyPairCommand,
  RunInstancesCommand,
} from "@aws-sdk/client-ec2";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DEV_IMAGE } from "../../../src/dev/cloud/region.ts";
import { generateKeyPair } from "../../../src/dev/host-key.ts";
import { describe as describeInstance, LAUNCH, run } from "../machine.ts";
import { refusalOf, startApi, type TestApi } from "./api.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api[Symbol.asyncDispose]());

test("tags are created, replaced, listed and deleted", async () => {
  const id = await run(api);
  const tag = (Key: string, Value: string) =>
    api.ec2.send(new CreateTagsCommand({ Resources: [id], Tags: [{ Key, Value }] }));
  await tag("a", "1");
  await tag("b", "2");
  await tag("a", "3");
  const Filters = [{ Name: "resource-id", Values: [id] }];
  const { Tags } = await api.ec2.send(new DescribeTagsCommand({ Filters }));
  expect(Tags).toEqual([
    { Key: "a", Value: "3", ResourceId: id, ResourceType: "instance" },
    { Key: "b", Value: "2", ResourceId: id, ResourceType: "instance" },
  ]);
  await api.ec2.send(
    new DeleteTagsCommand({ Resources: [id], Tags: [{ Key: "a" }, { Key: "b", Value: "another" }] }),
  );
  expect((await describeInstance(api, id)).Tags).toEqual([{ Key: "b", Value: "2" }]);
});

test("tags of unknown resources and reserved names are refused", async () => {
  const tag = (resource: string, Key: string) =>
    refusalOf(api.ec2.send(new CreateTagsCommand({ Resources: [resource], Tags: [{ Key, Value: "" }] })));
  expect(await tag("i-00000000000000bad", "a")).toMatchObject({ code: "InvalidInstanceID.NotFound" });
  expect(await tag("vol-00000000000000bad", "a")).toMatchObject({ code: "InvalidVolume.NotFound" });
  expect(await tag(await run(api), "aws:mine")).toMatchObject({ code: "InvalidParameterValue" });
});

test("a subnet decides the zone, and must agree with the one asked for", async () => {
  const Filters = [{ Name: "availability-zone", Values: ["us-west-2b"] }];
  const { Subnets } = await api.ec2.send(new DescribeSubnetsCommand({ Filters }));
  const SubnetId = Subnets?.[0]?.SubnetId ?? "";
  expect((await describeInstance(api, await run(api, { SubnetId }))).Placement?.AvailabilityZone).toBe(
    "us-west-2b",
  );
  const elsewhere = { ...LAUNCH, SubnetId, Placement: { AvailabilityZone: "us-west-2a" } };
  expect(await refusalOf(api.ec2.send(new RunInstancesCommand(elsewhere)))).toMatchObject({
    code: "InvalidParameterValue",
  });
});

test("zones and images are listed", async () => {
  const { AvailabilityZones } = await api.ec2.send(new DescribeAvailabilityZonesCommand());
  expect(AvailabilityZones?.map(({ ZoneName }) => ZoneName)).toEqual([
    "us-west-2a",
    "us-west-2b",
    "us-west-2c",
    "us-west-2d",
  ]);
  const { Images } = await api.ec2.send(new DescribeImagesCommand({ ImageIds: [DEV_IMAGE] }));
  expect(Images).toMatchObject([{ ImageId: DEV_IMAGE, State: "available", RootDeviceName: "/dev/xvda" }]);
});

test("a key pair is imported once under its name", async () => {
  const PublicKeyMaterial = Buffer.from(generateKeyPair("mine").public);
  const importKey = () => api.ec2.send(new ImportKeyPairCommand({ KeyName: "mine", PublicKeyMaterial }));
  expect(await importKey()).toMatchObject({ KeyName: "mine" });
  expect(await refusalOf(importKey())).toMatchObject({ code: "InvalidKeyPair.Duplicate" });
  const { KeyPairs } = await api.ec2.send(new DescribeKeyPairsCommand({ KeyNames: ["mine"] }));
  expect(KeyPairs).toHaveLength(1);
  const bad = new ImportKeyPairCommand({ KeyName: "bad", PublicKeyMaterial: Buffer.from("ssh-dss AAAA") });
  expect(await refusalOf(api.ec2.send(bad))).toMatchObject({ code: "InvalidKey.Format" });
});

test("an action that is not emulated is InvalidAction", async () => {
  expect(await refusalOf(api.ec2.send(new DescribeSpotPriceHistoryCommand()))).toMatchObject({
    code: "InvalidAction",
  });
});

test("a dry run says that it would have succeeded and does nothing", async () => {
  const before = api.cloud.instances.size;
  const call = api.ec2.send(new RunInstancesCommand({ ...LAUNCH, DryRun: true }));
  expect(await refusalOf(call)).toMatchObject({ code: "DryRunOperation", status: 412 });
  expect(api.cloud.instances.size).toBe(before);
});

test.each([
  ["an unknown image", { ImageId: "ami-00000000000000bad" }, "InvalidAMIID.NotFound"],
  ["an unknown key pair", { KeyName: "nobody" }, "InvalidKeyPair.NotFound"],
  ["an unknown subnet", { SubnetId: "subnet-00000000000000bad" }, "InvalidSubnetID.NotFound"],
  ["an unknown launch template", { LaunchTemplate: { LaunchTemplateName: "bad" } }, /^InvalidLaunchTemplate/],
])("a dry run with %s is refused as the order would be", async (_what, more, code) => {
  const call = new RunInstancesCommand({ ...LAUNCH, ...more, DryRun: true });
  expect((await refusalOf(api.ec2.send(call))).code).toMatch(code);
});

test("tags of unknown instances cannot be deleted either", async () => {
  const call = new DeleteTagsCommand({ Resources: ["i-00000000000000bad"], Tags: [{ Key: "a" }] });
  expect(await refusalOf(api.ec2.send(call))).toMatchObject({ code: "InvalidInstanceID.NotFound" });
});

test("a request without a signature is AuthFailure", async () => {
  const response = await fetch(api.endpoint, {
    method: "POST",
    body: "Action=DescribeInstances&Version=2016-11-15",
  });
  expect(response.status).toBe(401);
  expect(await response.text()).toMatch(
    /^<\?xml .*<Response><Errors><Error><Code>AuthFailure<\/Code>.*<RequestID>/s,
  );
});
