import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { AwsEc2Target } from "../../../src/config/types.ts";
import { createAwsEc2Provider } from "../../../src/providers/aws-ec2/provider.ts";
import { createProvider } from "../../../src/providers/index.ts";
import { LazysshError } from "../../../src/util/errors.ts";
import { ec2Failure, ec2Success, type ScriptedEc2, startScriptedEc2 } from "../../harness/scripted-ec2.ts";
import { targetWith } from "../../harness/target.ts";
import {
  describeInstancesXml,
  describeVolumesXml,
  failureOf,
  instanceXml,
  isolateSdk,
  never,
  order,
  sdf,
  sdg,
  tagsXml,
  volumeXml,
} from "./fixture.ts";

let ec2: ScriptedEc2;
beforeEach(async () => {
  isolateSdk();
  ec2 = await startScriptedEc2();
});
afterEach(async () => {
  await ec2[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

const provider = (patch: Partial<AwsEc2Target> = {}) =>
  createAwsEc2Provider(targetWith({ endpoint: ec2.endpoint, ...patch }), { owner: "server-1" });
const token = (value: string) => `<clientToken>${value}</clientToken>`;
const ours = tagsXml({ "lazyssh:owner": "server-1", "lazyssh:target": "archiver", "lazyssh:launch": "t" });
const terminated = ec2Success("TerminateInstances", "<instancesSet/>");

describe("what it says of itself", () => {
  test("the summary names type and place", () => {
    expect(provider().summary).toBe("t4g.nano in us-west-2");
    expect(provider({ availabilityZone: "us-west-2d" }).summary).toBe("t4g.nano in us-west-2d");
    expect(provider({ region: undefined }).summary).toBe("t4g.nano in the default region");
    const launchTemplate = { id: "lt-1", name: undefined, version: undefined };
    expect(provider({ instanceTypes: [], launchTemplate }).summary).toBe(
      "machine of launch template lt-1 in us-west-2",
    );
    expect(provider().remedy("i-1", "t")).toContain("terminate-instances --instance-ids i-1");
  });

  test("each target type has its provider", () => {
    expect(createProvider(targetWith(), { owner: "o", stateDir: "" }).type).toBe("aws_ec2");
  });
});

describe("create", () => {
  test("answers the machine that was ordered", async () => {
    const instance = instanceXml("i-1", "pending", token("t1"));
    ec2.on("RunInstances", ec2Success("RunInstances", `<instancesSet>${instance}</instancesSet>`));
    expect(await provider().create(order("t1"), never)).toEqual({
      id: "i-1",
      phase: "pending",
      address: undefined,
      reason: undefined,
      token: "t1",
      target: undefined,
      notes: {},
      notice: undefined,
      startedAt: undefined,
    });
  });

  test("an answer without an instance is not taken for success, and may have made one", async () => {
    ec2.on("RunInstances", ec2Success("RunInstances", "<instancesSet/>"));
    const error = await failureOf(provider().create(order("t1"), never));
    expect(error).toMatchObject({ code: "CLOUD_ERROR", retryable: true });
  });

  test("a token that has made a machine with other parameters answers that machine", async () => {
    ec2.on("RunInstances", ec2Failure("IdempotentParameterMismatch", "the arguments were different"));
    ec2.on("DescribeInstances", describeInstancesXml([instanceXml("i-1", "running", token("t1"))]));
    expect(await provider().create(order("t1"), never)).toMatchObject({ id: "i-1", phase: "running" });
  });

  test("a token whose machine has been terminated answers that it is gone", async () => {
    ec2.on("RunInstances", ec2Failure("IdempotentInstanceTerminated", "has been terminated"));
    ec2.on("DescribeInstances", describeInstancesXml([instanceXml("i-1", "terminated", token("t1"))]));
    expect(await provider().create(order("t1"), never)).toMatchObject({ id: "i-1", phase: "gone" });
  });

  test("a spent token whose machine is not seen yet is asked for again", async () => {
    ec2.on("RunInstances", ec2Failure("IdempotentParameterMismatch", "the arguments were different"));
    ec2.on("DescribeInstances", describeInstancesXml([]));
    const error = await failureOf(provider().create(order("t1"), never));
    expect(error).toMatchObject({ code: "NOT_READY", retryable: true });
  });

  test("a spent token whose machine is gone and not seen any more has died for good", async () => {
    ec2.on("RunInstances", ec2Failure("IdempotentInstanceTerminated", "has been terminated"));
    ec2.on("DescribeInstances", describeInstancesXml([]));
    const error = await failureOf(provider().create(order("t1"), never));
    expect(error).toMatchObject({ code: "MACHINE_DIED", retryable: false });
  });

  test("a list that shows a terminated machine as running is older than the refusal", async () => {
    ec2.on("RunInstances", ec2Failure("IdempotentInstanceTerminated", "has been terminated"));
    ec2.on("DescribeInstances", describeInstancesXml([instanceXml("i-1", "running", token("t1"))]));
    expect(await provider().create(order("t1"), never)).toMatchObject({ id: "i-1", phase: "stopping" });
  });

  test("an order answered with a machine that is ending says so", async () => {
    const instance = instanceXml("i-1", "shutting-down", token("t1"));
    ec2.on("RunInstances", ec2Success("RunInstances", `<instancesSet>${instance}</instancesSet>`));
    expect(await provider().create(order("t1"), never)).toMatchObject({ id: "i-1", phase: "stopping" });
  });
});

describe("find", () => {
  test("asks by client token", async () => {
    ec2.on("DescribeInstances", describeInstancesXml([instanceXml("i-1", "running", token("t1"))]));
    expect(await provider().find("t1", never)).toMatchObject({ id: "i-1", token: "t1" });
    expect(ec2.requests[0]?.params).toEqual({ "Filter.1.Name": "client-token", "Filter.1.Value.1": "t1" });
  });

  test("is undefined when none is seen", async () => {
    ec2.on("DescribeInstances", describeInstancesXml([]));
    expect(await provider().find("t1", never)).toBeUndefined();
  });

  test("does not believe a cloud that ignores the filter", async () => {
    const others = [instanceXml("i-8", "running", token("t2")), instanceXml("i-9", "running")];
    ec2.on("DescribeInstances", describeInstancesXml(others));
    expect(await provider().find("t1", never)).toBeUndefined();
  });

  test("prefers the machine that is not gone, and tells of a gone one otherwise", async () => {
    const gone = instanceXml("i-1", "terminated", token("t1"));
    const alive = instanceXml("i-2", "pending", token("t1"));
    ec2.on("DescribeInstances", describeInstancesXml([gone, alive]), describeInstancesXml([gone]));
    expect(await provider().find("t1", never)).toMatchObject({ id: "i-2" });
    expect(await provider().find("t1", never)).toMatchObject({ id: "i-1", phase: "gone" });
  });
});

describe("describe", () => {
  test("tells where the machine stands", async () => {
    const running = instanceXml("i-1", "running", "<ipAddress>203.0.113.7</ipAddress>");
    ec2.on("DescribeInstances", describeInstancesXml([running]));
    expect(await provider().describe("i-1", never)).toMatchObject({
      phase: "running",
      address: "203.0.113.7",
    });
    expect(ec2.requests[0]?.params).toEqual({ "InstanceId.1": "i-1" });
  });

  test.each([
    ["refused", ec2Failure("InvalidInstanceID.NotFound", "The instance ID 'i-1' does not exist")],
    ["an empty list", describeInstancesXml([])],
    ["a list of others", describeInstancesXml([instanceXml("i-2", "running")])],
  ])("an unknown id (%s) is MACHINE_NOT_FOUND, and may be found later", async (_, answer) => {
    ec2.on("DescribeInstances", answer);
    const error = await failureOf(provider().describe("i-1", never));
    expect(error).toMatchObject({ code: "MACHINE_NOT_FOUND", retryable: true });
    expect(error.message).toContain("i-1");
  });
});

describe("destroy", () => {
  test("asks the cloud to terminate, and nothing more without volumes", async () => {
    ec2.on("TerminateInstances", terminated);
    await provider().destroy("i-1", never);
    expect(ec2.requests.map(({ action, params }) => ({ action, params }))).toEqual([
      { action: "TerminateInstances", params: { "InstanceId.1": "i-1" } },
    ]);
  });

  test("NotFound is no proof of an end, and is passed on", async () => {
    ec2.on("TerminateInstances", ec2Failure("InvalidInstanceID.NotFound", "does not exist"));
    expect(await failureOf(provider().destroy("i-1", never))).toMatchObject({ code: "MACHINE_NOT_FOUND" });
  });

  test("a volume that does not exist any more does not keep the machine alive", async () => {
    ec2.on("DescribeVolumes", (request) =>
      request.params["VolumeId.1"] === "vol-1"
        ? ec2Failure("InvalidVolume.NotFound", "The volume 'vol-1' does not exist.")
        : describeVolumesXml(volumeXml("vol-2", "in-use", { instance: "i-1" })),
    );
    ec2.on("TerminateInstances", terminated);
    await provider({ attachVolumes: [sdf, sdg] }).destroy("i-1", never);
    expect(ec2.requests.at(-1)?.action).toBe("TerminateInstances");
  });

  test("while nobody can say whether the volumes outlive it, it is not terminated", async () => {
    ec2.on("DescribeVolumes", ec2Failure("UnauthorizedOperation", "no", 403));
    const error = await failureOf(provider({ attachVolumes: [sdf] }).destroy("i-1", never));
    expect(error.code).toBe("NOT_PERMITTED");
    expect(ec2.requests.map(({ action }) => action)).toEqual(["DescribeVolumes"]);
  });
});

describe("list", () => {
  test("collects every page of what is ours and not gone", async () => {
    const foreign = tagsXml({ "lazyssh:owner": "server-2", "lazyssh:target": "archiver" });
    ec2.on(
      "DescribeInstances",
      describeInstancesXml([instanceXml("i-1", "running", ours)], "page-2"),
      describeInstancesXml([], "page-3"),
      describeInstancesXml([
        instanceXml("i-2", "shutting-down", ours),
        instanceXml("i-3", "terminated", ours),
        instanceXml("i-4", "running", foreign),
        instanceXml("i-5", "running"),
      ]),
    );
    const machines = await provider().list(never);
    expect(machines.map(({ id, phase, token: launch }) => ({ id, phase, launch }))).toEqual([
      { id: "i-1", phase: "running", launch: "t" },
      { id: "i-2", phase: "stopping", launch: "t" },
    ]);
    expect(ec2.requests.map(({ params }) => params.NextToken)).toEqual([undefined, "page-2", "page-3"]);
  });

  test("tells of those that are gone, when they are asked for", async () => {
    const machines = [instanceXml("i-1", "running", ours), instanceXml("i-2", "terminated", ours)];
    ec2.on("DescribeInstances", describeInstancesXml(machines));
    const seen = await provider().list(never, { gone: true });
    expect(seen).toMatchObject([
      { id: "i-1", phase: "running" },
      { id: "i-2", phase: "gone" },
    ]);
    expect(ec2.requests[0]?.params).not.toHaveProperty("Filter.2.Name");
  });

  test("tells of one that rests", async () => {
    ec2.on("DescribeInstances", describeInstancesXml([instanceXml("i-1", "stopped", ours)]));
    expect(await provider().list(never)).toMatchObject([{ id: "i-1", phase: "resting" }]);
  });

  test("asks by owner and state", async () => {
    ec2.on("DescribeInstances", describeInstancesXml([]));
    expect(await provider().list(never)).toEqual([]);
    expect(ec2.requests[0]?.params).toMatchObject({
      "Filter.1.Name": "tag:lazyssh:owner",
      "Filter.1.Value.1": "server-1",
      "Filter.2.Name": "instance-state-name",
      "Filter.2.Value.5": "stopped",
      MaxResults: "1000",
    });
  });
});

test("every verb rejects with the reason of an aborted signal, and asks nobody", async () => {
  const reason = new LazysshError("SHUTTING_DOWN", "the server stops");
  const signal = AbortSignal.abort(reason);
  const verbs = provider({ attachVolumes: [sdf] });
  const calls = [
    verbs.volumesFree(signal),
    verbs.create(order("t"), signal),
    verbs.find("t", signal),
    verbs.describe("i-1", signal),
    verbs.attach("i-1", signal),
    verbs.destroy("i-1", signal),
    verbs.list(signal),
    verbs.start("i-1", signal),
    verbs.rest("i-1", { hibernate: false }, signal),
    verbs.annotate("i-1", { until: "1" }, signal),
    verbs.annotate("i-1", {}, signal),
    verbs.volumes(signal),
    verbs.preflight(signal),
  ];
  for (const call of calls) await expect(call).rejects.toBe(reason);
  expect(ec2.requests).toEqual([]);
});
