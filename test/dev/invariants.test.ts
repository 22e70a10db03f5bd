import {
  AttachVolumeCommand,
  DetachVolumeCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import { describe, expect, test } from "vitest";
import { type LogEntry, mostAttached, mostRunning, stillRunning } from "../harness/invariants.ts";
import { eventually, startWorld } from "../harness/world.ts";
import { run, untilState } from "./machine.ts";

const state = (instance: string, name: string): LogEntry => ({
  at: 0,
  type: "instance.state",
  instance,
  state: name,
});
const launched = (instance: string, target?: string): LogEntry => ({
  at: 0,
  type: "instance.launched",
  instance,
  tags: target === undefined ? {} : { "lazyssh:target": target },
});
const held = (instance: string, name: string): LogEntry => ({
  at: 0,
  type: "volume.attachment",
  volume: "v",
  instance,
  state: name,
});

describe("the most that ran at once", () => {
  test("counts from pending to the end, whatever comes between", () => {
    const one = ["pending", "running", "shutting-down", "terminated"].map((name) => state("a", name));
    const two = ["pending", "running", "stopping", "stopped", "pending"].map((name) => state("b", name));
    expect(mostRunning([])).toBe(0);
    expect(mostRunning([...one, ...two])).toBe(1);
    expect(mostRunning([...one.slice(0, 3), ...two, ...one.slice(3)])).toBe(2);
    expect(stillRunning([...one, ...two])).toEqual(["b"]);
  });

  test("can be asked of one target", () => {
    const events = [
      ...[launched("a", "archiver"), state("a", "pending")],
      ...[launched("b", "builder"), state("b", "pending")],
      ...[launched("c"), state("c", "pending")],
    ];
    expect([mostRunning(events), mostRunning(events, "archiver"), mostRunning(events, "nobody")]).toEqual([
      3, 1, 0,
    ]);
  });
});

test("the most that held a volume counts from attaching to detached", () => {
  const events = [held("a", "attaching"), held("a", "attached"), held("a", "detaching")];
  expect(mostAttached(events, "v")).toBe(1);
  expect(mostAttached(events, "w")).toBe(0);
  expect(mostAttached([...events, held("a", "detached"), held("b", "attaching")], "v")).toBe(1);
  expect(mostAttached([...events, held("b", "attaching")], "v")).toBe(2);
});

test("a world's log answers both", async () => {
  await using test = await startWorld();
  const { world, ec2 } = test;
  const launch = (target: string) =>
    run(test, {
      Placement: { AvailabilityZone: "us-west-2d" },
      TagSpecifications: [{ ResourceType: "instance", Tags: [{ Key: "lazyssh:target", Value: target }] }],
    });
  const [one, two] = [await launch("archiver"), await launch("builder")];
  for (const id of [one, two]) {
    await untilState(test, id, "running");
    await ec2.send(new AttachVolumeCommand({ InstanceId: id, VolumeId: world.volumeId, Device: "/dev/sdf" }));
    await ec2.send(new DetachVolumeCommand({ VolumeId: world.volumeId }));
    await eventually("the volume is free", () =>
      world.state().volumes.some((volume) => volume.id === world.volumeId && volume.state === "available"),
    );
  }
  await ec2.send(new StopInstancesCommand({ InstanceIds: [one] }));
  await untilState(test, one, "stopped");
  await ec2.send(new StartInstancesCommand({ InstanceIds: [one] }));
  const { events } = world.state();
  expect([
    mostRunning(events),
    mostRunning(events, "archiver"),
    mostAttached(events, world.volumeId),
  ]).toEqual([2, 1, 1]);
  expect(stillRunning(events).sort()).toEqual([one, two].sort());
  await ec2.send(new TerminateInstancesCommand({ InstanceIds: [one, two] }));
  for (const id of [one, two]) await untilState(test, id, "terminated");
  expect(stillRunning(world.state().events)).toEqual([]);
});
