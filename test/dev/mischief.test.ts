import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import {
  DescribeSpotInstanceRequestsCommand,
  RebootInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually, startWorld, type TestWorld } from "../harness/world.ts";
import {
  bootMachine,
  describe as describeInstance,
  isAlive,
  type Machine,
  run,
  ssh,
  sshOptions,
  untilState,
} from "./machine.ts";

let world: TestWorld;
beforeEach(async () => {
  world = await startWorld();
});
afterEach(() => world.stop());

async function post(path: string, body?: unknown): Promise<{ status: number; body: unknown }> {
  const init = { method: "POST", ...(body !== undefined && { body: JSON.stringify(body) }) };
  const response = await fetch(`${world.world.endpoint}/_dev/${path}`, init);
  return { status: response.status, body: await response.json() };
}

const pidOf = ({ id }: Machine) =>
  world.world.state().instances.find((instance) => instance.id === id)?.pid ?? Number.NaN;

/** A shell on the machine, whose lines are answered while machine and connection live. */
function conversation(machine: Machine) {
  const args = [...sshOptions(world), `root@${machine.address}`, "cat"];
  const client = spawn("ssh", args, { stdio: ["pipe", "pipe", "inherit"] });
  let heard = "";
  client.stdout.setEncoding("utf8").on("data", (text: string) => {
    heard += text;
  });
  return {
    say: (line: string) => client.stdin.write(`${line}\n`),
    hears: (line: string) => eventually(`"${line}" is heard`, () => heard.includes(`${line}\n`)),
    heard: () => heard,
    leave: async () => {
      client.kill("SIGKILL");
      await once(client, "close");
    },
  };
}

/** Whether the port accepts a connection. */
async function accepts(machine: Machine): Promise<boolean> {
  const socket = connect(world.world.guestPort, machine.address);
  const accepted = await new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  });
  socket.destroy();
  return accepted;
}

describe("a frozen machine", () => {
  test("keeps its connections and says nothing, until it is thawed", async () => {
    const machine = await bootMachine(world);
    const talk = conversation(machine);
    talk.say("one");
    await talk.hears("one");
    expect(await post(`freeze/${machine.id}`)).toEqual({ status: 200, body: { frozen: machine.id } });
    expect(world.world.freeze(machine.id)).toBe(true);
    talk.say("two");
    await expect(world.world.closePort(machine.id)).rejects.toThrow("is frozen: thaw it first");
    expect((await describeInstance(world, machine.id)).State?.Name).toBe("running");
    expect(talk.heard()).toBe("one\n");
    expect(await post(`thaw/${machine.id}`)).toEqual({ status: 200, body: { thawed: machine.id } });
    await talk.hears("two");
    expect(world.world.thaw(machine.id)).toBe(true);
    await talk.leave();
  });

  test.each([
    ["killed", ({ id }: Machine) => post(`kill/${id}`)],
    ["terminated", ({ id }: Machine) => world.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }))],
    ["stopped", ({ id }: Machine) => world.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }))],
    ["left behind by its world", () => world.world.close()],
  ])("that is %s is gone, and what it ran with it", async (_what, end) => {
    const machine = await bootMachine(world);
    const left = Number((await ssh(world, machine, "sleep 600 >/dev/null 2>&1 & echo $!")).stdout);
    const guest = pidOf(machine);
    world.world.freeze(machine.id);
    await end(machine);
    await eventually("its processes have ended", () => !isAlive(guest) && !isAlive(left));
  });

  test("comes back when it is rebooted", async () => {
    const machine = await bootMachine(world);
    const guest = pidOf(machine);
    world.world.freeze(machine.id);
    await world.ec2.send(new RebootInstancesCommand({ InstanceIds: [machine.id] }));
    await eventually("the old guest has ended", () => !isAlive(guest));
    await eventually("it answers", () => accepts(machine));
    expect((await ssh(world, machine, "echo back")).stdout).toBe("back\n");
  });
});

test("a closed port refuses connections and keeps those there are; opened, it takes new ones", async () => {
  const machine = await bootMachine(world);
  const talk = conversation(machine);
  talk.say("one");
  await talk.hears("one");
  expect(await post(`close-port/${machine.id}`)).toEqual({ status: 200, body: { closed: machine.id } });
  expect(await accepts(machine)).toBe(false);
  talk.say("two");
  await talk.hears("two");
  for (const _ of [1, 2]) {
    expect(await post(`open-port/${machine.id}`)).toEqual({ status: 200, body: { opened: machine.id } });
    expect(await accepts(machine)).toBe(true);
  }
  talk.say("three");
  await talk.hears("three");
  expect((await ssh(world, machine, "echo new")).stdout).toBe("new\n");
  await talk.leave();
  const events = world.world.state().events.filter(({ type }) => type.startsWith("guest."));
  expect(events.map(({ type }) => type)).toEqual(["guest.listening", "guest.port_closed", "guest.listening"]);
});

test("a port closed before the machine has booted stays closed", async () => {
  world.world.setDelays({ bootMs: 300 });
  const id = await run(world);
  const { PublicIpAddress: address = "" } = await untilState(world, id, "running");
  expect(await world.world.closePort(id)).toBe(true);
  await eventually("it would have booted", () =>
    world.world.state().events.some(({ type }) => type === "instance.boot"),
  );
  expect(await accepts({ id, address })).toBe(false);
  expect(await world.world.openPort(id)).toBe(true);
  await eventually("it listens", () => accepts({ id, address }));
});

test("a spot notice is a status at once and the end of the machine later", async () => {
  const id = await run(world, { InstanceMarketOptions: { MarketType: "spot" } });
  const { SpotInstanceRequestId = "" } = await untilState(world, id, "running");
  const status = async () => {
    const SpotInstanceRequestIds = [SpotInstanceRequestId];
    const call = new DescribeSpotInstanceRequestsCommand({ SpotInstanceRequestIds });
    return (await world.ec2.send(call)).SpotInstanceRequests?.[0]?.Status?.Code;
  };
  expect(await post(`spot-notice/${id}`, { ms: "soon" })).toMatchObject({ status: 400 });
  expect(await post(`spot-notice/${id}`, { code: "oops" })).toMatchObject({ status: 400 });
  expect(await post(`spot-notice/${id}`)).toEqual({ status: 200, body: { noticed: id } });
  expect(await status()).toBe("marked-for-termination");
  await post(`spot-notice/${id}`, { ms: 50, code: "instance-terminated-no-capacity" });
  const gone = await untilState(world, id, "terminated");
  expect(gone.StateReason?.Code).toBe("Server.SpotInstanceTermination");
  expect(await status()).toBe("instance-terminated-no-capacity");
});

test("somebody else can terminate a machine", async () => {
  const id = await run(world);
  expect(await post(`terminate/${id}`)).toEqual({ status: 200, body: { terminated: id } });
  const gone = await untilState(world, id, "terminated");
  expect(gone.StateReason?.Code).toBe("Client.UserInitiatedShutdown");
});

test("what does not run, and what is no control, is said so", async () => {
  const nobody = "i-00000000000000bad";
  for (const control of ["kill", "terminate", "freeze", "thaw", "close-port", "open-port"]) {
    const error = `no instance ${nobody} runs here`;
    expect(await post(`${control}/${nobody}`)).toEqual({ status: 404, body: { error } });
  }
  expect(await post(`spot-notice/${nobody}`)).toMatchObject({ status: 400 });
  expect(await post(`explode/${nobody}`)).toMatchObject({
    status: 404,
    body: { error: expect.stringContaining("there is GET /_dev/state") },
  });
});
