import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createAwsEc2Provider } from "../../../src/providers/aws-ec2/provider.ts";
import { ec2Failure, ec2Success, type ScriptedEc2, startScriptedEc2 } from "../../harness/scripted-ec2.ts";
import { targetWith } from "../../harness/target.ts";
import {
  describeInstancesXml,
  failureOf,
  instanceXml,
  isolateSdk,
  never,
  order,
  tagsXml,
} from "./fixture.ts";

let ec2: ScriptedEc2;
beforeEach(async () => {
  isolateSdk();
  ec2 = await startScriptedEc2();
  ec2.on("CreateTags", ec2Success("CreateTags", "<return>true</return>"));
  ec2.on("DeleteTags", ec2Success("DeleteTags", "<return>true</return>"));
});
afterEach(async () => {
  await ec2[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

const provider = () => createAwsEc2Provider(targetWith({ endpoint: ec2.endpoint }), { owner: "server-1" });
const sent = () => ec2.requests.map(({ action, params }) => ({ action, params }));

test("notes are tags: what is written comes before what is taken off", async () => {
  await provider().annotate(
    "i-1",
    { "lease:ab12": undefined, "lease:cd34": "until 12:00", expires: "7" },
    never,
  );
  expect(sent()).toEqual([
    {
      action: "CreateTags",
      params: {
        "ResourceId.1": "i-1",
        "Tag.1.Key": "lazyssh:lease:cd34",
        "Tag.1.Value": "until 12:00",
        "Tag.2.Key": "lazyssh:expires",
        "Tag.2.Value": "7",
      },
    },
    { action: "DeleteTags", params: { "ResourceId.1": "i-1", "Tag.1.Key": "lazyssh:lease:ab12" } },
  ]);
});

test("an empty text is a note, too", async () => {
  await provider().annotate("i-1", { kept: "" }, never);
  expect(sent()).toEqual([
    {
      action: "CreateTags",
      params: { "ResourceId.1": "i-1", "Tag.1.Key": "lazyssh:kept", "Tag.1.Value": "" },
    },
  ]);
});

test("without notes nobody is asked", async () => {
  await provider().annotate("i-1", {}, never);
  expect(sent()).toEqual([]);
});

test.each([
  ["the mark by which a machine is found", { owner: "somebody else" }],
  ["the target", { target: undefined }],
  ["the launch", { launch: "t2" }],
  ["a strange key", { "a b": "1" }],
  ["too long a text", { note: "x".repeat(257) }],
])("%s cannot be written over, and nothing else is written", async (_, notes) => {
  const error = await failureOf(provider().annotate("i-1", { fine: "1", ...notes }, never));
  expect(error).toMatchObject({ code: "INTERNAL", retryable: false });
  expect(sent()).toEqual([]);
});

test.each(["CreateTags", "DeleteTags"])(
  "%s on a machine that is gone is MACHINE_NOT_FOUND",
  async (action) => {
    ec2.on(action, ec2Failure("InvalidInstanceID.NotFound", "The instance ID 'i-1' does not exist"));
    const error = await failureOf(provider().annotate("i-1", { old: undefined, fresh: "1" }, never));
    expect(error.code).toBe("MACHINE_NOT_FOUND");
  },
);

test("notes are read back without what says whose the machine is", async () => {
  const tags = tagsXml({
    Name: "archiver",
    project: "backup",
    "lazyssh:owner": "server-1",
    "lazyssh:target": "archiver",
    "lazyssh:launch": "t1",
    "lazyssh:lease:ab12": "until 12:00",
    "lazyssh:expires": "",
  });
  ec2.on("DescribeInstances", describeInstancesXml([instanceXml("i-1", "running", tags)]));
  expect(await provider().describe("i-1", never)).toMatchObject({
    notes: { "lease:ab12": "until 12:00", expires: "" },
    token: "t1",
    target: "archiver",
  });
});

test("the notes of an order are on the instance, and on nothing else that it makes", async () => {
  ec2.on(
    "RunInstances",
    ec2Success("RunInstances", `<instancesSet>${instanceXml("i-1", "pending")}</instancesSet>`),
  );
  await provider().create(order("t1", { notes: { "lease:ab12": "1" } }), never);
  const { params = {} } = ec2.requests[0] ?? {};
  const keys = (specification: number) =>
    Object.entries(params)
      .filter(([name]) => new RegExp(`^TagSpecification\\.${specification}\\.Tag\\.\\d+\\.Key$`).test(name))
      .map(([, key]) => key);
  const whose = ["Name", "lazyssh:owner", "lazyssh:target", "lazyssh:launch"];
  expect([1, 2, 3, 4].map(keys)).toEqual([[...whose, "lazyssh:lease:ab12"], whose, whose, []]);
});
