import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { AwsEc2Target } from "../../../src/config/types.ts";
import { createAwsEc2Provider } from "../../../src/providers/aws-ec2/provider.ts";
import { ec2Failure, ec2Success, type ScriptedEc2, startScriptedEc2 } from "../../harness/scripted-ec2.ts";
import { targetWith } from "../../harness/target.ts";
import { describeInstancesXml, failureOf, instanceXml, isolateSdk, never, order } from "./fixture.ts";

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

function imageXml(id: string, created: string, state = "available"): string {
  return `<item><imageId>${id}</imageId><name>backup-${id}</name><imageState>${state}</imageState>
    <creationDate>${created}</creationDate></item>`;
}

function imagesXml(images: readonly string[], nextToken?: string): string {
  const next = nextToken === undefined ? "" : `<nextToken>${nextToken}</nextToken>`;
  return ec2Success("DescribeImages", `<imagesSet>${images.join("")}</imagesSet>${next}`);
}

const image = { owners: ["self", "123456789012"], name: "backup-*", mostRecent: false };
const mostRecent = { ...image, mostRecent: true };
const create = (patch: Partial<AwsEc2Target> = {}) =>
  createAwsEc2Provider(targetWith({ endpoint: ec2.endpoint, imageId: undefined, image, ...patch }), {
    owner: "server-1",
  }).create(order("token-1"), never);
const started = () => ec2.requests.filter(({ action }) => action === "RunInstances");

test("the one image that is found is started", async () => {
  ec2.on("DescribeImages", imagesXml([imageXml("ami-7", "2026-01-02T00:00:00.000Z")]));
  await create();
  expect(ec2.requests.map(({ action }) => action)).toEqual(["DescribeImages", "RunInstances"]);
  expect(ec2.requests[0]?.params).toEqual({
    "Owner.1": "self",
    "Owner.2": "123456789012",
    "Filter.1.Name": "name",
    "Filter.1.Value.1": "backup-*",
    "Filter.2.Name": "state",
    "Filter.2.Value.1": "available",
  });
  expect(started()[0]?.params.ImageId).toBe("ami-7");
});

test("most_recent starts the one that was made last and is available, on whichever page", async () => {
  ec2.on(
    "DescribeImages",
    imagesXml([imageXml("ami-1", "2026-01-02T00:00:00.000Z")], "page-2"),
    imagesXml([
      imageXml("ami-2", "2026-03-01T12:00:00.000Z"),
      imageXml("ami-3", "2025-12-31T23:59:59.000Z"),
      imageXml("ami-4", "2026-04-01T00:00:00.000Z", "pending"),
      "<item><name>backup-nameless</name></item>",
    ]),
  );
  await create({ image: mostRecent });
  expect(ec2.requests.map(({ params }) => params.NextToken)).toEqual([undefined, "page-2", undefined]);
  expect(started()[0]?.params.ImageId).toBe("ami-2");
});

test("of images made in the same moment it is always the same one", async () => {
  const [one, two] = ["ami-1", "ami-2"].map((id) => imageXml(id, "2026-01-02T00:00:00.000Z"));
  ec2.on("DescribeImages", imagesXml([one ?? "", two ?? ""]), imagesXml([two ?? "", one ?? ""]));
  await create({ image: mostRecent });
  await create({ image: mostRecent });
  expect(started().map(({ params }) => params.ImageId)).toEqual(["ami-2", "ami-2"]);
});

test("several without most_recent are an error that names two, and nothing is started", async () => {
  ec2.on(
    "DescribeImages",
    imagesXml([
      imageXml("ami-1", "2026-01-02T00:00:00.000Z"),
      imageXml("ami-2", "2026-01-03T00:00:00.000Z"),
      imageXml("ami-3", "2026-01-01T00:00:00.000Z"),
    ]),
  );
  const error = await failureOf(create());
  expect(error).toMatchObject({ code: "BAD_REQUEST", retryable: false });
  expect(error.message).toBe(
    'target archiver: image "backup-*" of self, 123456789012 is not one but 3, such as ami-2 (backup-ami-2) and ' +
      "ami-1 (backup-ami-1); set most_recent = true, or say more in name",
  );
  expect(started()).toEqual([]);
});

test("none is an error that names what was looked for", async () => {
  ec2.on("DescribeImages", imagesXml([]));
  const error = await failureOf(create());
  expect(error).toMatchObject({ code: "BAD_REQUEST", retryable: false });
  expect(error.message).toContain('image "backup-*" of self, 123456789012 was not found');
});

test("credentials that may not look for images are told the permission", async () => {
  ec2.on("DescribeImages", ec2Failure("UnauthorizedOperation", "You may not.", 403));
  const error = await failureOf(create());
  expect(error).toMatchObject({ code: "NOT_PERMITTED", retryable: false });
  expect(error.message).toContain("permission ec2:DescribeImages");
});

test("a newer image between two orders of one launch is no second machine", async () => {
  const [older, newer] = [imageXml("ami-1", "2026-01-02"), imageXml("ami-2", "2026-01-03")];
  ec2.on("DescribeImages", imagesXml([older]), imagesXml([older, newer]));
  ec2.on("RunInstances", "drop", ec2Failure("IdempotentParameterMismatch", "the arguments were different"));
  const made = instanceXml("i-1", "running", "<clientToken>token-1</clientToken>");
  ec2.on("DescribeInstances", describeInstancesXml([made]));
  expect(await failureOf(create({ image: mostRecent }))).toMatchObject({ retryable: true });
  expect(await create({ image: mostRecent })).toMatchObject({ id: "i-1" });
});

test("without a search nothing is asked for", async () => {
  await create({ imageId: "ami-1", image: undefined });
  expect(ec2.requests.map(({ action }) => action)).toEqual(["RunInstances"]);
});
