import {
  AttachVolumeCommand,
  CreateVolumeCommand,
  type CreateVolumeCommandInput,
  DeleteVolumeCommand,
  DescribeVolumesCommand,
  DetachVolumeCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createVolume } from "../../../src/dev/cloud/volumes.ts";
import { SimClock } from "../../harness/sim-clock.ts";
import { eventually } from "../../harness/world.ts";
import { run, untilState } from "../machine.ts";
import { refusalOf, startApi, type TestApi } from "./api.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api[Symbol.asyncDispose]());

async function create(more: Partial<CreateVolumeCommandInput> = {}): Promise<string> {
  const input = { AvailabilityZone: "us-west-2d", Size: 125, VolumeType: "sc1" as const, ...more };
  return (await api.ec2.send(new CreateVolumeCommand(input))).VolumeId ?? "";
}

async function show(id: string) {
  return (await api.ec2.send(new DescribeVolumesCommand({ VolumeIds: [id] }))).Volumes?.[0];
}

/** Id of an instance that runs in that zone. */
async function running(zone = "us-west-2d"): Promise<string> {
  const id = await run(api, { Placement: { AvailabilityZone: zone } });
  await untilState(api, id, "running");
  return id;
}

const attach = (VolumeId: string, InstanceId: string, Device = "/dev/sdf") =>
  api.ec2.send(new AttachVolumeCommand({ VolumeId, InstanceId, Device }));

describe("a volume", () => {
  test("is attaching, then attached, and stays in-use until its instance is gone", async () => {
    const clock = new SimClock();
    const delays = { pendingMs: 500, attachMs: 300, shutdownMs: 500, detachMs: 300 };
    await using timed = await startApi({ clock, delays });
    const volume = createVolume(timed.cloud, { zone: "us-west-2d", size: 125, type: "sc1" }).id;
    const instance = await run(timed);
    const attachIt = () =>
      timed.ec2.send(new AttachVolumeCommand({ VolumeId: volume, InstanceId: instance, Device: "/dev/sdf" }));
    const shown = async () => {
      const { Volumes } = await timed.ec2.send(new DescribeVolumesCommand({ VolumeIds: [volume] }));
      return { state: Volumes?.[0]?.State, attachment: Volumes?.[0]?.Attachments?.[0]?.State };
    };

    await clock.advance(499);
    expect(await refusalOf(attachIt())).toEqual({
      code: "IncorrectState",
      message: `Instance '${instance}' is not 'running'.`,
      status: 400,
    });
    await clock.advance(1);
    expect(await attachIt()).toMatchObject({
      State: "attaching",
      Device: "/dev/sdf",
      DeleteOnTermination: false,
    });
    await clock.advance(299);
    expect(await shown()).toEqual({ state: "in-use", attachment: "attaching" });
    await clock.advance(1);
    expect(await shown()).toEqual({ state: "in-use", attachment: "attached" });

    await timed.ec2.send(new TerminateInstancesCommand({ InstanceIds: [instance] }));
    await clock.advance(499);
    expect(await shown()).toEqual({ state: "in-use", attachment: "attached" });
    await clock.advance(1);
    expect(await shown()).toEqual({ state: "in-use", attachment: "detaching" });
    await clock.advance(300);
    expect(await shown()).toEqual({ state: "available", attachment: undefined });
  });

  test("cannot be attached twice", async () => {
    const [volume, one, two] = [await create(), await running(), await running()];
    await attach(volume, one);
    expect(await refusalOf(attach(volume, two))).toMatchObject({ code: "VolumeInUse" });
    expect(await refusalOf(attach(volume, one))).toMatchObject({ code: "VolumeInUse" });
    expect(await refusalOf(api.ec2.send(new DeleteVolumeCommand({ VolumeId: volume })))).toMatchObject({
      code: "VolumeInUse",
    });
  });

  test("cannot be attached across zones", async () => {
    const [volume, instance] = [await create(), await running("us-west-2a")];
    expect(await refusalOf(attach(volume, instance))).toMatchObject({ code: "InvalidVolume.ZoneMismatch" });
  });

  test("needs a device name that is free and that there is", async () => {
    const [one, two, instance] = [await create(), await create(), await running()];
    await attach(one, instance);
    expect(await refusalOf(attach(two, instance))).toMatchObject({ code: "InvalidParameterValue" });
    expect(await refusalOf(attach(two, instance, "/etc/passwd"))).toMatchObject({
      code: "InvalidParameterValue",
    });
    await attach(two, instance, "/dev/sdg");
  });

  test("is detached on demand and then free to be deleted", async () => {
    const [volume, instance] = [await create(), await running()];
    const detach = () => api.ec2.send(new DetachVolumeCommand({ VolumeId: volume }));
    expect(await refusalOf(detach())).toMatchObject({ code: "IncorrectState" });
    await attach(volume, instance);
    expect(await detach()).toMatchObject({ State: "detaching" });
    await eventually("available", async () => (await show(volume))?.State === "available");
    await api.ec2.send(new DeleteVolumeCommand({ VolumeId: volume }));
    expect(await refusalOf(show(volume))).toMatchObject({ code: "InvalidVolume.NotFound" });
  });

  test("is found by status, zone and tag", async () => {
    const volume = await create({
      TagSpecifications: [{ ResourceType: "volume", Tags: [{ Key: "role", Value: "found" }] }],
    });
    const found = async (Name: string, value: string) => {
      const { Volumes } = await api.ec2.send(
        new DescribeVolumesCommand({ Filters: [{ Name, Values: [value] }] }),
      );
      return Volumes?.map(({ VolumeId }) => VolumeId);
    };
    expect(await found("tag:role", "found")).toEqual([volume]);
    expect(await found("status", "available")).toContain(volume);
    expect(await found("availability-zone", "us-west-2a")).not.toContain(volume);
  });

  test.each([
    ["smaller than its type allows", { Size: 124 }, "InvalidParameterValue"],
    ["of an unknown type", { VolumeType: "floppy" as never }, "UnknownVolumeType"],
    ["in an unknown zone", { AvailabilityZone: "moon-1a" }, "InvalidParameterValue"],
  ])("%s is refused", async (_what, more, code) => {
    expect(await refusalOf(create(more))).toMatchObject({ code });
  });
});
