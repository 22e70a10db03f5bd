import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import {
  AttachVolumeCommand,
  DescribeInstancesCommand,
  type Instance,
  RunInstancesCommand,
  type RunInstancesCommandInput,
} from "@aws-sdk/client-ec2";
import { DEV_IMAGE } from "../../src/dev/cloud/region.ts";
import { eventually, type TestWorld } from "../harness/world.ts";

/** What a launch needs at least. */
export const LAUNCH: RunInstancesCommandInput = {
  ImageId: DEV_IMAGE,
  InstanceType: "t4g.nano",
  MinCount: 1,
  MaxCount: 1,
  KeyName: "lazyssh-dev",
};

export async function run(
  { ec2 }: Pick<TestWorld, "ec2">,
  more: Partial<RunInstancesCommandInput> = {},
): Promise<string> {
  const { Instances } = await ec2.send(new RunInstancesCommand({ ...LAUNCH, ...more }));
  const id = Instances?.[0]?.InstanceId;
  if (id === undefined) throw new Error("RunInstances answered no instance");
  return id;
}

export async function describe({ ec2 }: Pick<TestWorld, "ec2">, id: string): Promise<Instance> {
  const { Reservations } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
  const instance = Reservations?.[0]?.Instances?.[0];
  if (instance === undefined) throw new Error(`DescribeInstances did not answer ${id}`);
  return instance;
}

export async function untilState(test: Pick<TestWorld, "ec2">, id: string, state: string): Promise<Instance> {
  return eventually(`${id} is ${state}`, async () => {
    const instance = await describe(test, id);
    return instance.State?.Name === state && instance;
  });
}

/** A running machine with its port open, and the world's volume attached if asked for. */
export async function bootMachine(
  test: TestWorld,
  options: { volume?: boolean; spot?: boolean } = {},
): Promise<Machine> {
  const { world, ec2 } = test;
  const id = await run(test, {
    Placement: { AvailabilityZone: "us-west-2d" },
    ...(options.spot && { InstanceMarketOptions: { MarketType: "spot" } }),
  });
  const { PublicIpAddress } = await untilState(test, id, "running");
  if (PublicIpAddress === undefined) throw new Error(`${id} runs without a public address`);
  if (options.volume) {
    await ec2.send(new AttachVolumeCommand({ InstanceId: id, VolumeId: world.volumeId, Device: "/dev/sdf" }));
    await eventually("the volume is attached", () =>
      world
        .state()
        .volumes.some((volume) => volume.id === world.volumeId && volume.attachment?.state === "attached"),
    );
  }
  await eventually(`${id} listens`, () =>
    world.state().events.some((event) => event.type === "guest.listening" && event.instance === id),
  );
  return { id, address: PublicIpAddress };
}

export interface Machine {
  readonly id: string;
  readonly address: string;
}

/** Options that make ssh, scp and sftp log in to a guest, without anything of the user's own configuration. */
export function sshOptions({ world }: Pick<TestWorld, "world">): string[] {
  const options = {
    Port: String(world.guestPort),
    IdentitiesOnly: "yes",
    BatchMode: "yes",
    StrictHostKeyChecking: "no",
    UserKnownHostsFile: "/dev/null",
    LogLevel: "ERROR",
  };
  return [
    "-F",
    "none",
    "-i",
    world.keys.user.path,
    ...Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]),
  ];
}

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, with its input closed after `input`. */
export async function runProgram(file: string, args: readonly string[], input = ""): Promise<Outcome> {
  const child = spawn(file, args, { stdio: ["pipe", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  child.stdin.on("error", () => undefined).end(input);
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return { status, stdout, stderr };
}

/** `ssh root@machine command`. */
export function ssh(test: TestWorld, machine: Machine, command: string, input = ""): Promise<Outcome> {
  return runProgram("ssh", [...sshOptions(test), `root@${machine.address}`, command], input);
}

/** Whether a process runs. One that has ended and waits for its parent to notice does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return process.platform !== "linux";
  }
}
