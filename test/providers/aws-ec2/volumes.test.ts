import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { AwsEc2Target } from "../../../src/config/types.ts";
import { createAwsEc2Provider } from "../../../src/providers/aws-ec2/provider.ts";
import { ec2Failure, ec2Success, type ScriptedEc2, startScriptedEc2 } from "../../harness/scripted-ec2.ts";
import { targetWith } from "../../harness/target.ts";
import {
  type AttachmentXml,
  attachmentXml,
  describeInstancesXml,
  describeVolumesXml,
  failureOf,
  instanceXml,
  isolateSdk,
  never,
  sdf,
  sdg,
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
  createAwsEc2Provider(targetWith({ endpoint: ec2.endpoint, attachVolumes: [sdf], ...patch }), {
    owner: "o",
  });
const actions = () => ec2.requests.map(({ action }) => action);
const attached = (attachment: AttachmentXml) => ec2Success("AttachVolume", attachmentXml(attachment));

describe("volumesFree", () => {
  test("without volumes it is done, and nobody is asked", async () => {
    expect(await provider({ attachVolumes: [] }).volumesFree(never)).toEqual({ done: true });
    expect(ec2.requests).toEqual([]);
  });

  test("is done when every volume is available", async () => {
    ec2.on(
      "DescribeVolumes",
      describeVolumesXml(volumeXml("vol-2", "available"), volumeXml("vol-1", "available")),
    );
    expect(await provider({ attachVolumes: [sdf, sdg] }).volumesFree(never)).toEqual({ done: true });
    expect(ec2.requests.map(({ params }) => params)).toEqual([
      { "VolumeId.1": "vol-1", "VolumeId.2": "vol-2" },
    ]);
  });

  const holders: [string, string, AttachmentXml | undefined, string][] = [
    ["the holder and its device", "in-use", { instance: "i-2" }, "vol-1 is in-use by i-2 (/dev/sdf)"],
    [
      "that it is being detached",
      "in-use",
      { instance: "i-2", state: "detaching" },
      "vol-1 is in-use by i-2 (/dev/sdf, detaching)",
    ],
    ["that it is being made", "creating", undefined, "vol-1 is creating"],
    [
      "only the state when it was detached",
      "in-use",
      { instance: "i-2", state: "detached" },
      "vol-1 is in-use",
    ],
    ["the holder without a device", "in-use", { instance: "i-2", device: "" }, "vol-1 is in-use by i-2"],
  ];
  test.each(holders)("names %s", async (_, state, attachment, waitingFor) => {
    ec2.on("DescribeVolumes", describeVolumesXml(volumeXml("vol-1", state, attachment)));
    expect(await provider().volumesFree(never)).toEqual({ done: false, waitingFor });
  });

  test("names every volume that is not free", async () => {
    const held = volumeXml("vol-2", "in-use", { instance: "i-3", device: "/dev/sdg" });
    ec2.on("DescribeVolumes", describeVolumesXml(volumeXml("vol-1", "creating"), held));
    expect(await provider({ attachVolumes: [sdf, sdg] }).volumesFree(never)).toEqual({
      done: false,
      waitingFor: "vol-1 is creating; vol-2 is in-use by i-3 (/dev/sdg)",
    });
  });

  test.each([
    ["refuses it", ec2Failure("InvalidVolume.NotFound", "The volume 'vol-1' does not exist.")],
    ["leaves it out of its answer", describeVolumesXml()],
  ])("a volume that does not exist is final when the cloud %s", async (_, answer) => {
    ec2.on("DescribeVolumes", answer);
    const error = await failureOf(provider().volumesFree(never));
    expect(error).toMatchObject({ code: "BAD_REQUEST", retryable: false });
    expect(error.message).toContain("vol-1");
    expect(error.message).toContain("does not exist");
  });

  test.each(["error", "deleting", "deleted"])("a volume in state %s is final", async (state) => {
    ec2.on("DescribeVolumes", describeVolumesXml(volumeXml("vol-1", state)));
    const error = await failureOf(provider().volumesFree(never));
    expect(error).toMatchObject({ code: "BAD_REQUEST", retryable: false });
    expect(error.message).toContain(`"${state}"`);
  });

  test("a volume in another zone than the placement is final before anything is launched", async () => {
    ec2.on("DescribeVolumes", describeVolumesXml(volumeXml("vol-1", "available", undefined, "us-west-2a")));
    const error = await failureOf(provider({ availabilityZone: "us-west-2d" }).volumesFree(never));
    expect(error).toMatchObject({ code: "VOLUME_MISMATCH", retryable: false });
    expect(error.message).toContain("volume vol-1 is in zone us-west-2a, the machine in us-west-2d");
  });
});

test("volumes are told with their holders, as they are", async () => {
  const held = volumeXml("vol-1", "in-use", { instance: "i-2" }).replace(
    "</volumeId>",
    "</volumeId><size>125</size><volumeType>sc1</volumeType>",
  );
  ec2.on("DescribeVolumes", describeVolumesXml(held, volumeXml("vol-2", "error")));
  expect(await provider({ attachVolumes: [sdf, sdg] }).volumes(never)).toEqual([
    { id: "vol-1", state: "in-use", sizeGiB: 125, type: "sc1", holders: ["i-2"] },
    { id: "vol-2", state: "error", sizeGiB: undefined, type: undefined, holders: [] },
  ]);
  expect(await provider({ attachVolumes: [] }).volumes(never)).toEqual([]);
});

describe("attach", () => {
  test("a free volume is attached at its device, and done once the cloud shows it", async () => {
    ec2.on(
      "DescribeVolumes",
      describeVolumesXml(volumeXml("vol-1", "available")),
      describeVolumesXml(volumeXml("vol-1", "in-use", { instance: "i-1", state: "attaching" })),
      describeVolumesXml(volumeXml("vol-1", "in-use", { instance: "i-1" })),
    );
    ec2.on("AttachVolume", attached({ instance: "i-1", state: "attaching" }));
    const verbs = provider();
    const waiting = { done: false, waitingFor: "vol-1 is attaching (i-1, /dev/sdf)" };
    expect(await verbs.attach("i-1", never)).toEqual(waiting);
    expect(await verbs.attach("i-1", never)).toEqual(waiting);
    expect(await verbs.attach("i-1", never)).toEqual({ done: true });
    expect(
      ec2.requests.filter(({ action }) => action === "AttachVolume").map(({ params }) => params),
    ).toEqual([{ VolumeId: "vol-1", InstanceId: "i-1", Device: "/dev/sdf" }]);
  });

  test("an answer that says attached is believed", async () => {
    ec2.on("DescribeVolumes", describeVolumesXml(volumeXml("vol-1", "available")));
    ec2.on("AttachVolume", attached({ instance: "i-1" }));
    expect(await provider().attach("i-1", never)).toEqual({ done: true });
  });

  test("without volumes it is done, and nobody is asked", async () => {
    expect(await provider({ attachVolumes: [] }).attach("i-1", never)).toEqual({ done: true });
    expect(ec2.requests).toEqual([]);
  });

  test("a volume that another instance holds is waited for, never taken", async () => {
    ec2.on("DescribeVolumes", describeVolumesXml(volumeXml("vol-1", "in-use", { instance: "i-2" })));
    expect(await provider().attach("i-1", never)).toEqual({
      done: false,
      waitingFor: "vol-1 is in-use by i-2 (/dev/sdf)",
    });
    expect(actions()).toEqual(["DescribeVolumes"]);
  });

  test("the free one of two is attached while the other is waited for", async () => {
    const held = volumeXml("vol-1", "in-use", { instance: "i-2" });
    ec2.on("DescribeVolumes", describeVolumesXml(held, volumeXml("vol-2", "available")));
    ec2.on("AttachVolume", attached({ instance: "i-1", device: "/dev/sdg" }));
    expect(await provider({ attachVolumes: [sdf, sdg] }).attach("i-1", never)).toEqual({
      done: false,
      waitingFor: "vol-1 is in-use by i-2 (/dev/sdf)",
    });
    expect(ec2.requests.at(-1)?.params).toEqual({ VolumeId: "vol-2", InstanceId: "i-1", Device: "/dev/sdg" });
  });

  test("a lost race names the winner", async () => {
    ec2.on(
      "DescribeVolumes",
      describeVolumesXml(volumeXml("vol-1", "available")),
      describeVolumesXml(volumeXml("vol-1", "in-use", { instance: "i-2", state: "attaching" })),
    );
    ec2.on("AttachVolume", ec2Failure("VolumeInUse", "vol-1 is already attached to an instance"));
    expect(await provider().attach("i-1", never)).toEqual({
      done: false,
      waitingFor: "vol-1 is in-use by i-2 (/dev/sdf, attaching)",
    });
  });

  test("a race that no answer shows yet is waited for all the same", async () => {
    ec2.on("DescribeVolumes", describeVolumesXml(volumeXml("vol-1", "available")));
    ec2.on("AttachVolume", ec2Failure("VolumeInUse", "vol-1 is already attached to an instance"));
    expect(await provider().attach("i-1", never)).toEqual({
      done: false,
      waitingFor: "vol-1 was just taken by another instance",
    });
  });

  test.each(["IncorrectState", "IncorrectInstanceState"])(
    "%s of a pending instance is waited for",
    async (code) => {
      ec2.on("DescribeVolumes", describeVolumesXml(volumeXml("vol-1", "available")));
      ec2.on("AttachVolume", ec2Failure(code, "Instance 'i-1' is not 'running'."));
      ec2.on("DescribeInstances", describeInstancesXml([instanceXml("i-1", "pending")]));
      expect(await provider().attach("i-1", never)).toEqual({
        done: false,
        waitingFor: "vol-1 cannot be attached yet: i-1 is pending",
      });
    },
  );

  test("IncorrectState of the volume, while the instance runs, is waited for in the cloud's words", async () => {
    ec2.on("DescribeVolumes", describeVolumesXml(volumeXml("vol-1", "available")));
    ec2.on("AttachVolume", ec2Failure("IncorrectState", "volume is in modification state: MODIFYING"));
    ec2.on("DescribeInstances", describeInstancesXml([instanceXml("i-1", "running")]));
    expect(await provider().attach("i-1", never)).toEqual({
      done: false,
      waitingFor: expect.stringMatching(/^vol-1 cannot be attached yet: .*modification state: MODIFYING/),
    });
  });

  test("IncorrectState of a dying instance says why it dies", async () => {
    ec2.on("DescribeVolumes", describeVolumesXml(volumeXml("vol-1", "available")));
    ec2.on("AttachVolume", ec2Failure("IncorrectState", "Instance 'i-1' is not 'running'."));
    const reason = "<stateReason><message>Server.InternalError</message></stateReason>";
    ec2.on("DescribeInstances", describeInstancesXml([instanceXml("i-1", "terminated", reason)]));
    const error = await failureOf(provider().attach("i-1", never));
    expect(error).toMatchObject({ code: "MACHINE_DIED", retryable: false });
    expect(error.message).toContain("Server.InternalError");
  });

  test("a zone mismatch names both zones", async () => {
    ec2.on("DescribeVolumes", describeVolumesXml(volumeXml("vol-1", "available", undefined, "us-west-2a")));
    ec2.on("AttachVolume", ec2Failure("InvalidVolume.ZoneMismatch", "not in the same availability zone"));
    const placement = "<placement><availabilityZone>us-west-2d</availabilityZone></placement>";
    ec2.on("DescribeInstances", describeInstancesXml([instanceXml("i-1", "running", placement)]));
    const error = await failureOf(provider().attach("i-1", never));
    expect(error).toMatchObject({ code: "VOLUME_MISMATCH", retryable: false });
    expect(error.message).toContain("volume vol-1 is in zone us-west-2a, the machine in us-west-2d");
  });

  test("an instance that the cloud does not know yet is told as such", async () => {
    ec2.on("DescribeVolumes", describeVolumesXml(volumeXml("vol-1", "available")));
    ec2.on("AttachVolume", ec2Failure("InvalidInstanceID.NotFound", "The instance ID 'i-1' does not exist"));
    expect(await failureOf(provider().attach("i-1", never))).toMatchObject({ code: "MACHINE_NOT_FOUND" });
  });
});

describe("a volume that would be deleted with the instance", () => {
  const doomed = volumeXml("vol-1", "in-use", { instance: "i-1", deleteOnTermination: true });

  test("is not used, when the attach answer says so", async () => {
    ec2.on("DescribeVolumes", describeVolumesXml(volumeXml("vol-1", "available")));
    ec2.on("AttachVolume", attached({ instance: "i-1", deleteOnTermination: true }));
    const error = await failureOf(provider().attach("i-1", never));
    expect(error).toMatchObject({ code: "VOLUME_MISMATCH", retryable: false });
    expect(error.message).toContain("would be DELETED together with i-1");
  });

  test("is not used, when the list says so", async () => {
    ec2.on("DescribeVolumes", describeVolumesXml(doomed));
    expect(await failureOf(provider().attach("i-1", never))).toMatchObject({ code: "VOLUME_MISMATCH" });
    expect(actions()).toEqual(["DescribeVolumes"]);
  });

  test("keeps the instance from being terminated", async () => {
    ec2.on("DescribeVolumes", describeVolumesXml(doomed));
    ec2.on("TerminateInstances", ec2Success("TerminateInstances", "<instancesSet/>"));
    const verbs = provider();
    const error = await failureOf(verbs.destroy("i-1", never));
    expect(error.code).toBe("VOLUME_MISMATCH");
    expect(error.message).toContain("modify-instance-attribute");
    expect(actions()).not.toContain("TerminateInstances");
    expect(verbs.remedy("i-1", "t")).toMatch(
      /^aws ec2 modify-instance-attribute .* && aws ec2 terminate-instances /,
    );
    ec2.on("DescribeVolumes", describeVolumesXml(volumeXml("vol-1", "in-use", { instance: "i-1" })));
    await verbs.destroy("i-1", never);
    expect(verbs.remedy("i-1", "t")).toMatch(/^aws ec2 terminate-instances /);
  });

  test("of another instance is none of our business", async () => {
    ec2.on("DescribeVolumes", describeVolumesXml(doomed));
    ec2.on("TerminateInstances", ec2Success("TerminateInstances", "<instancesSet/>"));
    await provider().destroy("i-7", never);
    expect(actions()).toContain("TerminateInstances");
  });
});
