import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CreateTagsCommand,
  DescribeVolumesCommand,
  RebootInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
} from "@aws-sdk/client-ec2";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createWorld } from "../../src/dev/index.ts";
import { systemClock } from "../../src/util/clock.ts";
import { eventually, startWorld, type TestWorld } from "../harness/world.ts";
import {
  bootMachine,
  describe as describeInstance,
  isAlive,
  run,
  runProgram,
  ssh,
  sshOptions,
  untilState,
} from "./machine.ts";

/** A folder with a space in its name: people have those. */
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lazyssh world "));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe("a world that is started again in its folder", () => {
  test("keeps keys, volume, files, tags and port; machines of the earlier run are terminated", async () => {
    const first = await startWorld({ dir });
    const { volumeId, endpoint, keys } = first.world;
    const machine = await bootMachine(first, { volume: true });
    await ssh(first, machine, "echo precious > volume/file; echo fleeting > file");
    await first.ec2.send(
      new CreateTagsCommand({ Resources: [volumeId], Tags: [{ Key: "kept", Value: "yes" }] }),
    );
    await first.stop();

    await using second = await startWorld({ dir });
    expect(second.world).toMatchObject({ volumeId, endpoint, keys });
    const gone = await describeInstance(second, machine.id);
    expect(gone.State?.Name).toBe("terminated");
    expect(gone.StateReason?.Message).toContain("the dev world that ran this instance has ended");
    const { Volumes } = await second.ec2.send(new DescribeVolumesCommand({}));
    expect(Volumes).toMatchObject([
      {
        VolumeId: volumeId,
        State: "available",
        Tags: expect.arrayContaining([{ Key: "kept", Value: "yes" }]),
      },
    ]);
    const another = await bootMachine(second, { volume: true });
    expect(await ssh(second, another, "cat volume/file; ls")).toMatchObject({
      stdout: "precious\nvolume\nvolumes\n",
    });
  });

  test("keeps a configuration that was edited, and renews one that was not", async () => {
    await (await startWorld({ dir, linger: "2s" })).stop();
    const file = join(dir, "config.hcl");
    await (await startWorld({ dir, linger: "5s" })).stop();
    const renewed = readFileSync(file, "utf8");
    expect(renewed).toContain('linger = "5s"');
    writeFileSync(file, `${renewed}\n# mine\n`);
    await (await startWorld({ dir, linger: "7s" })).stop();
    expect(readFileSync(file, "utf8")).toBe(`${renewed}\n# mine\n`);
  });

  test("refuses a folder that another world runs in", async () => {
    await using first = await startWorld({ dir });
    await expect(createWorld({ dir })).rejects.toThrow(/is in use by process \d+/);
    await first.stop();
    await (await startWorld({ dir })).stop();
  });

  test("does not start afresh over a record that it cannot read", async () => {
    await (await startWorld({ dir })).stop();
    writeFileSync(join(dir, "cloud.json"), "{");
    await expect(createWorld({ dir })).rejects.toThrow(/cloud\.json is not usable: .*Move it away/s);
  });
});

test("everything in the folder is for its owner only", async () => {
  await (await startWorld({ dir })).stop();
  const modes = ["", "keys/user", "keys/jump_host", "config.hcl", "cloud.json"].map(
    (name) => statSync(join(dir, name)).mode & 0o777,
  );
  expect(modes).toEqual([0o700, 0o600, 0o600, 0o600, 0o600]);
});

test("the client files are such as ssh understands, in a folder with a space", async () => {
  await using test = await startWorld({ dir });
  await test.world.writeClientFiles({ listenHost: "::1", listenPort: 7923 });
  const shown = await runProgram("ssh", ["-G", "-F", join(dir, "ssh_config"), "archiver"]);
  expect(shown.stdout).toContain(`identityfile ${join(dir, "keys", "user")}\n`);
  expect(shown.stdout).toContain(`userknownhostsfile ${join(dir, "known_hosts")}\n`);
  // ProxyJump would pass the file's name on through a shell, unquoted.
  expect(shown.stdout).toContain(`proxycommand ssh -F '${join(dir, "ssh_config")}' -W [%h]:%p lazyssh\n`);
  expect(shown.stdout).toContain("stricthostkeychecking true\n");
  const jump = await runProgram("ssh", ["-G", "-F", join(dir, "ssh_config"), "lazyssh"]);
  expect(jump.stdout).toMatch(/^hostname ::1$/m);
  expect(jump.stdout).toMatch(/^port 7923$/m);
  expect(JSON.parse(readFileSync(join(dir, "dev.json"), "utf8"))).toEqual({
    ec2_endpoint: test.world.endpoint,
    listen: "[::1]:7923",
    config: join(dir, "config.hcl"),
    targets: ["archiver"],
    ssh_config: join(dir, "ssh_config"),
    volume: test.world.volumeId,
    pid: process.pid,
  });
});

test("in a folder with a plain name the way leads through ProxyJump", async () => {
  await using test = await startWorld();
  await test.world.writeClientFiles({ listenHost: "127.0.0.1", listenPort: 7923 });
  const shown = await runProgram("ssh", ["-G", "-F", join(test.world.dir, "ssh_config"), "archiver"]);
  expect(shown.stdout).toContain("proxyjump lazyssh\n");
});

test("a generated key is one that ssh can read", async () => {
  await using test = await startWorld({ dir });
  const { path, public: line } = test.world.keys.user;
  const derived = await runProgram("ssh-keygen", ["-y", "-f", path]);
  expect(derived.stdout.split(" ").slice(0, 2)).toEqual(line.split(" ").slice(0, 2));
});

describe("a machine of the world", () => {
  let world: TestWorld;
  beforeEach(async () => {
    world = await startWorld({ dir });
  });
  afterEach(() => world.stop());

  test("that is killed from outside goes to terminated, and its volume comes free", async () => {
    const machine = await bootMachine(world, { volume: true });
    const pid = world.world.state().instances.find(({ id }) => id === machine.id)?.pid;
    process.kill(pid ?? Number.NaN, "SIGKILL");
    const gone = await untilState(world, machine.id, "terminated");
    expect(gone.StateReason?.Code).toBe("Client.InstanceInitiatedShutdown");
    await eventually(
      "the volume is free",
      () => world.world.state().volumes.find(({ id }) => id === world.world.volumeId)?.state === "available",
    );
  });

  test("takes its sessions along when it dies suddenly", async () => {
    const machine = await bootMachine(world);
    const background = await ssh(world, machine, "sleep 600 >/dev/null 2>&1 & echo $!");
    const pid = Number(background.stdout);
    expect(isAlive(pid)).toBe(true);
    const response = await fetch(`${world.world.endpoint}/_dev/kill/${machine.id}`, { method: "POST" });
    expect(await response.json()).toEqual({ killed: machine.id });
    await eventually("the background process has ended", () => !isAlive(pid));
  });

  test("keeps its home over stop and start, and reboot", async () => {
    const machine = await bootMachine(world);
    await ssh(world, machine, "echo here > note");
    const listenings = () =>
      world.world.state().events.filter(({ type }) => type === "guest.listening").length;
    await world.ec2.send(new RebootInstancesCommand({ InstanceIds: [machine.id] }));
    await eventually("it listens again", () => listenings() === 2);
    expect((await ssh(world, machine, "cat note")).stdout).toBe("here\n");
    await world.ec2.send(new StopInstancesCommand({ InstanceIds: [machine.id] }));
    await untilState(world, machine.id, "stopped");
    await world.ec2.send(new StartInstancesCommand({ InstanceIds: [machine.id] }));
    const { PublicIpAddress = "" } = await untilState(world, machine.id, "running");
    await eventually("it listens once more", () => listenings() === 3);
    expect((await ssh(world, { id: machine.id, address: PublicIpAddress }, "cat note")).stdout).toBe(
      "here\n",
    );
  });

  test("that is stopped ends its processes in peace and holds its volumes; started, it has them at once", async () => {
    world.world.setDelays({ shutdownMs: 5_000 });
    const machine = await bootMachine(world, { volume: true });
    const script = `trap 'echo saved > volume/last; sync; exit 0' TERM; echo ready; while :; do sleep 0.05; done`;
    const args = [...sshOptions(world), `root@${machine.address}`, script];
    const client = spawn("ssh", args, { stdio: ["ignore", "pipe", "ignore"] });
    await once(client.stdout, "data");
    await world.ec2.send(new StopInstancesCommand({ InstanceIds: [machine.id] }));
    await untilState(world, machine.id, "stopped");
    const show = async () => {
      const { Volumes } = await world.ec2.send(
        new DescribeVolumesCommand({ VolumeIds: [world.world.volumeId] }),
      );
      const [volume] = Volumes ?? [];
      return [volume?.State, volume?.Attachments?.[0]?.State, volume?.Attachments?.[0]?.InstanceId];
    };
    expect(await show()).toEqual(["in-use", "attached", machine.id]);
    await world.ec2.send(new StartInstancesCommand({ InstanceIds: [machine.id] }));
    const { PublicIpAddress: address = "" } = await untilState(world, machine.id, "running");
    await eventually("it listens again", () => {
      const { events } = world.world.state();
      return events.filter(({ type }) => type === "guest.listening").length === 2;
    });
    expect((await ssh(world, { id: machine.id, address }, "cat volume/last volumes/sdf/last")).stdout).toBe(
      "saved\nsaved\n",
    );
    expect(await show()).toEqual(["in-use", "attached", machine.id]);
  });

  test("that never opens its port refuses connections; a silent one says no word", async () => {
    world.world.faults.set([
      { action: "RunInstances", kind: "never-opens", times: 1 },
      { action: "RunInstances", kind: "silent", times: 1 },
    ]);
    const [closed, silent] = [await run(world), await run(world)];
    const { PublicIpAddress: closedAddress = "" } = await untilState(world, closed, "running");
    const { PublicIpAddress: silentAddress = "" } = await untilState(world, silent, "running");
    await eventually("the silent one listens", () =>
      world.world
        .state()
        .events.some(({ type, instance }) => type === "guest.listening" && instance === silent),
    );
    const refused = await ssh(world, { id: closed, address: closedAddress }, "true");
    expect(refused.stderr).toContain("Connection refused");
    const keyscan = await runProgram("ssh-keyscan", [
      "-T",
      "1",
      "-p",
      String(world.world.guestPort),
      silentAddress,
    ]);
    expect(keyscan.stdout).toBe("");
  });

  test("takes its host key from user data", async () => {
    const { archiverHost } = world.world.keys;
    const lines = `SSH_HOST_ED25519_KEY:${archiverHost.private.trim().replaceAll("\n", "|")}`;
    const id = await run(world, { UserData: Buffer.from(`# for NixOS\n  ${lines}\n`).toString("base64") });
    const { PublicIpAddress = "" } = await untilState(world, id, "running");
    await eventually("it listens", () =>
      world.world.state().events.some(({ type }) => type === "guest.listening"),
    );
    const scan = await runProgram("ssh-keyscan", [
      "-t",
      "ed25519",
      "-p",
      String(world.world.guestPort),
      PublicIpAddress,
    ]);
    expect(scan.stdout).toContain(archiverHost.public.split(" ")[1]);
  });
});

test("closing a world ends its guests and frees its port, however often it is asked", async () => {
  const started = await startWorld({ dir });
  const machine = await bootMachine(started);
  const pid = started.world.state().instances.find(({ id }) => id === machine.id)?.pid ?? Number.NaN;
  await Promise.all([started.world.close(), started.world.close()]);
  expect(isAlive(pid)).toBe(false);
  await expect(fetch(started.world.endpoint)).rejects.toThrow();
  await started.stop();
});

test("the test helper's patience has an end", async () => {
  await expect(eventually("pigs fly", () => systemClock.sleep(1).then(() => false), 20)).rejects.toThrow(
    /20 ms in vain for: pigs fly/,
  );
});
