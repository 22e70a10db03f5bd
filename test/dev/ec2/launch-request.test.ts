import {
  CreateTagsCommand,
  DescribeImagesCommand,
  RunInstancesCommand,
  StopInstancesCommand,
} from "@aws-sdk/client-ec2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DEV_IMAGE } from "../../../src/dev/cloud/region.ts";
import { LAUNCH, run, untilState } from "../machine.ts";
import { refusalOf, startApi, type TestApi } from "./api.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const COUNT = { MinCount: 1, MaxCount: 1 };
const TEMPLATE = { LaunchTemplateName: "lazyssh-dev" };

describe("network interface", () => {
  test("without a public address the machine has a private one only; groups and subnet are its own", async () => {
    const id = await run(api, {
      NetworkInterfaces: [
        {
          DeviceIndex: 0,
          AssociatePublicIpAddress: false,
          SubnetId: "subnet-0de700000000000b0",
          Groups: ["sg-0123456789abcdef0"],
        },
      ],
    });
    const running = await untilState(api, id, "running");
    expect(running).toMatchObject({
      SubnetId: "subnet-0de700000000000b0",
      Placement: { AvailabilityZone: "us-west-2b" },
      SecurityGroups: [{ GroupId: "sg-0123456789abcdef0" }],
      PrivateIpAddress: expect.stringMatching(/^127\./),
    });
    expect(running.PublicIpAddress).toBeUndefined();
  });

  test.each([
    ["a subnet", { SubnetId: "subnet-0de700000000000b0" }, "subnet ID"],
    ["security groups", { SecurityGroupIds: ["sg-0123456789abcdef0"] }, "security groups"],
  ])("refuses %s beside it", async (_what, beside, words) => {
    const NetworkInterfaces = [{ DeviceIndex: 0, AssociatePublicIpAddress: true }];
    const refusal = await refusalOf(
      api.ec2.send(new RunInstancesCommand({ ...LAUNCH, ...beside, NetworkInterfaces })),
    );
    expect(refusal.code).toBe("InvalidParameterCombination");
    expect(refusal.message).toContain(`instance-level ${words} may not be`);
  });
});

test("metadata options are kept, with EC2's defaults", async () => {
  const plain = await untilState(api, await run(api), "running");
  expect(plain.MetadataOptions).toEqual({
    State: "applied",
    HttpTokens: "optional",
    HttpPutResponseHopLimit: 1,
    HttpEndpoint: "enabled",
    InstanceMetadataTags: "disabled",
  });
  const MetadataOptions = {
    HttpTokens: "required" as const,
    HttpPutResponseHopLimit: 2,
    HttpEndpoint: "disabled" as const,
    InstanceMetadataTags: "enabled" as const,
  };
  const strict = await untilState(api, await run(api, { MetadataOptions }), "running");
  expect(strict.MetadataOptions).toEqual({ State: "applied", ...MetadataOptions });
});

describe("tags in the metadata", () => {
  const MetadataOptions = { InstanceMetadataTags: "enabled" as const };
  const tagged = (Key: string) => ({
    TagSpecifications: [{ ResourceType: "instance" as const, Tags: [{ Key, Value: "" }] }],
  });

  test.each(["Patch Group", "a/b", "_index", ".."])("have no key %j", async (key) => {
    const refused = {
      code: "InvalidParameterValue",
      message: `'${key}' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\\\\-_+=,.@:]{1,255}), and must not be a reserved name ('.', '..', '_index')`,
    };
    expect(await refusalOf(run(api, { MetadataOptions, ...tagged(key) }))).toMatchObject(refused);
    const id = await run(api, { MetadataOptions, ...tagged("lazyssh:owner") });
    const tag = new CreateTagsCommand({ Resources: [id], Tags: [{ Key: key, Value: "" }] });
    expect(await refusalOf(api.ec2.send(tag))).toMatchObject(refused);
    await run(api, tagged(key));
  });
});

test("tags for what is not launched are refused", async () => {
  const TagSpecifications = [{ ResourceType: "subnet" as const, Tags: [{ Key: "a", Value: "" }] }];
  expect(await refusalOf(run(api, { TagSpecifications }))).toMatchObject({
    code: "InvalidParameterValue",
    message: "'subnet' is not a valid taggable resource type for this operation.",
  });
});

describe("hibernation", () => {
  const root = (Encrypted: boolean) => [
    { DeviceName: "/dev/xvda", Ebs: { VolumeSize: 8, Encrypted, DeleteOnTermination: true } },
  ];
  const able = { HibernationOptions: { Configured: true }, BlockDeviceMappings: root(true) };

  test("is for instances launched for it, and then stops them", async () => {
    const [id, plain] = [await run(api, able), await run(api)];
    await untilState(api, id, "running");
    await untilState(api, plain, "running");
    const hibernate = (InstanceIds: string[]) =>
      api.ec2.send(new StopInstancesCommand({ InstanceIds, Hibernate: true }));
    expect(await refusalOf(hibernate([id, plain]))).toEqual({
      code: "UnsupportedHibernationConfiguration",
      message: `The instance can't be hibernated because it was not configured at launch for hibernation: ${plain}`,
      status: 400,
    });
    await hibernate([id]);
    const stopped = await untilState(api, id, "stopped");
    expect(stopped).toMatchObject({
      HibernationOptions: { Configured: true },
      StateReason: { Code: "Client.UserInitiatedHibernate" },
    });
  });

  test.each([
    ["an open root volume", { BlockDeviceMappings: root(false) }],
    ["bare metal", { InstanceType: "m5.metal" as const }],
    ["a family that cannot", { InstanceType: "p3.2xlarge" as const }],
  ])("%s is refused", async (_what, more) => {
    expect(await refusalOf(run(api, { ...able, ...more }))).toMatchObject({
      code: "UnsupportedHibernationConfiguration",
    });
  });
});

describe("launch template", () => {
  test.each([
    [{ ...TEMPLATE }, "t4g.nano"],
    [{ ...TEMPLATE, Version: "$Default" }, "t4g.nano"],
    [{ ...TEMPLATE, Version: "$Latest" }, "t4g.small"],
    [{ LaunchTemplateId: "lt-0de70000000000001", Version: "2" }, "t4g.small"],
  ])("%o gives image, type and key", async (LaunchTemplate, InstanceType) => {
    const { Instances } = await api.ec2.send(new RunInstancesCommand({ ...COUNT, LaunchTemplate }));
    expect(Instances).toMatchObject([{ ImageId: DEV_IMAGE, InstanceType, KeyName: "lazyssh-dev" }]);
  });

  test("what the call says goes before it", async () => {
    const call = { ...COUNT, LaunchTemplate: TEMPLATE, InstanceType: "t4g.micro" as const };
    const { Instances } = await api.ec2.send(new RunInstancesCommand(call));
    expect(Instances).toMatchObject([{ InstanceType: "t4g.micro" }]);
  });

  test.each([
    ["id", { LaunchTemplateId: "lt-0bad" }, "InvalidLaunchTemplateId.NotFound"],
    ["name", { LaunchTemplateName: "bad" }, "InvalidLaunchTemplateName.NotFoundException"],
    ["version", { ...TEMPLATE, Version: "3" }, "InvalidLaunchTemplateId.VersionNotFound"],
    ["word for a version", { ...TEMPLATE, Version: "newest" }, "InvalidLaunchTemplateId.VersionNotFound"],
    ["pair", { ...TEMPLATE, LaunchTemplateId: "lt-0bad" }, "InvalidParameterCombination"],
  ])("an unknown %s is refused", async (_what, LaunchTemplate, code) => {
    const call = new RunInstancesCommand({ ...COUNT, LaunchTemplate });
    expect(await refusalOf(api.ec2.send(call))).toMatchObject({ code, status: 400 });
  });
});

describe("image", () => {
  test("resolve:ssm: gives the image that the parameter holds", async () => {
    const launch = (ImageId: string) => api.ec2.send(new RunInstancesCommand({ ...LAUNCH, ImageId }));
    const { Instances } = await launch("resolve:ssm:/lazyssh/dev-image");
    expect(Instances).toMatchObject([{ ImageId: DEV_IMAGE }]);
    expect(await refusalOf(launch("resolve:ssm:/nothing"))).toMatchObject({ code: "InvalidParameterValue" });
  });

  test("images are found by owner and name, and tell when they were made", async () => {
    const found = async (Owners: string[], name: string) => {
      const Filters = [{ Name: "name", Values: [name] }];
      const { Images } = await api.ec2.send(new DescribeImagesCommand({ Owners, Filters }));
      return Images?.map(({ Name, CreationDate }) => `${Name} ${CreationDate}`);
    };
    const both = ["lazyssh-dev 2026-02-01T00:00:00.000Z", "lazyssh-example 2026-01-01T00:00:00.000Z"];
    expect(await found(["self"], "lazyssh-*")).toEqual(both);
    expect(await found(["amazon", "123456789012"], "lazyssh-e?ample")).toEqual(both.slice(1));
    expect(await found(["amazon"], "*")).toEqual([]);
  });
});
