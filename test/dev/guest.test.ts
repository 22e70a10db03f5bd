import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GetConsoleOutputCommand, TerminateInstancesCommand } from "@aws-sdk/client-ec2";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { eventually, startWorld, type TestWorld } from "../harness/world.ts";
import { bootMachine, isAlive, type Machine, runProgram, ssh, sshOptions, untilState } from "./machine.ts";

describe("a guest", () => {
  let world: TestWorld;
  let machine: Machine;

  beforeAll(async () => {
    world = await startWorld();
    machine = await bootMachine(world, { volume: true });
  });
  afterAll(() => world.stop());

  test("runs a command in its home and passes on output, errors and status", async () => {
    const outcome = await ssh(world, machine, 'pwd; echo "$HOME"; echo problem >&2; exit 7');
    const home = join(world.world.dir, "instances", machine.id);
    expect(outcome).toEqual({ status: 7, stdout: `${home}\n${home}\n`, stderr: "problem\n" });
  });

  test("has the programs of its own ~/bin first", async () => {
    const made = "mkdir bin; printf '#!/bin/sh\\necho my own' > bin/id; chmod +x bin/id";
    expect(await ssh(world, machine, made)).toMatchObject({ status: 0 });
    expect(await ssh(world, machine, "id; rm -r bin")).toMatchObject({ status: 0, stdout: "my own\n" });
  });

  test("lets any user name in with the instance's key", async () => {
    const outcome = await runProgram("ssh", [
      ...sshOptions(world),
      `dana@${machine.address}`,
      'echo "$USER"',
    ]);
    expect(outcome).toMatchObject({ status: 0, stdout: "dana\n" });
  });

  test("lets no other key in", async () => {
    const { user, jumpClient } = world.world.keys;
    const options = sshOptions(world).map((option) => (option === user.path ? jumpClient.path : option));
    const outcome = await runProgram("ssh", [...options, `root@${machine.address}`, "true"]);
    expect(outcome.status).toBe(255);
    expect(outcome.stderr).toContain("Permission denied (publickey)");
  });

  test("sees its volume as a folder that the world keeps", async () => {
    const outcome = await ssh(
      world,
      machine,
      'echo kept > volume/note; cat volumes/sdf/note "$LAZYSSH_VOLUME/note"',
    );
    expect(outcome).toMatchObject({ status: 0, stdout: "kept\nkept\n" });
    expect(existsSync(join(world.world.volumeFolder, "note"))).toBe(true);
  });

  test("tells the status to a client that has nothing to say, also over a connection that is shared", async () => {
    const socket = join(world.world.dir, "shared");
    const shared = [...sshOptions(world), "-o", `ControlPath=${socket}`];
    const master = spawn("ssh", [...shared, "-M", "-N", `root@${machine.address}`], { stdio: "ignore" });
    onTestFinished(() => {
      master.kill("SIGKILL");
    });
    await eventually("the connection", () => existsSync(socket));
    const command = "exec >&- 2>&-; sleep 0.05; exit 3";
    const outcome = await runProgram("ssh", [...shared, `root@${machine.address}`, command], "");
    expect(outcome.status).toBe(3);
  });

  test("passes environment on that the client sends", async () => {
    const args = [...sshOptions(world), "-o", "SetEnv=LC_FLAVOUR=plum", `root@${machine.address}`];
    const outcome = await runProgram("ssh", [...args, 'echo "$LC_FLAVOUR"']);
    expect(outcome.stdout).toBe("plum\n");
  });

  test("goes on sending after the client has closed its input", async () => {
    const outcome = await ssh(
      world,
      machine,
      "cat > /dev/null; echo input ended; sleep 0.2; echo still here",
    );
    expect(outcome).toMatchObject({ status: 0, stdout: "input ended\nstill here\n" });
  });

  test("goes on receiving after its command has closed its output, and still tells the status", async () => {
    const args = [...sshOptions(world), `root@${machine.address}`, "exec >&- 2>&-; cat > late; exit 3"];
    const client = spawn("ssh", args, { stdio: ["pipe", "pipe", "inherit"] });
    client.stdout.resume();
    await once(client.stdout, "end");
    client.stdin.end("sent after the output had ended\n");
    expect((await once(client, "close"))[0]).toBe(3);
    expect((await ssh(world, machine, "cat late")).stdout).toBe("sent after the output had ended\n");
  });

  test("passes a signal's death on as no status", async () => {
    expect((await ssh(world, machine, "kill -TERM $$")).status).toBe(255);
  });

  test("carries 50 MB each way unharmed", async () => {
    const size = 50_000_000;
    const file = join(world.world.volumeFolder, "big");
    const local = await runProgram("sh", [
      "-c",
      `head -c ${size} /dev/urandom > '${file}'; sha256sum < '${file}'`,
    ]);
    const target = [...sshOptions(world), `root@${machine.address}`].map((part) => `'${part}'`).join(" ");
    const up = await runProgram("sh", ["-c", `ssh ${target} sha256sum < '${file}'`]);
    const down = await runProgram("sh", ["-c", `ssh ${target} 'cat volume/big' | sha256sum`]);
    expect(local.status).toBe(0);
    expect(up.stdout).toBe(local.stdout);
    expect(down.stdout).toBe(local.stdout);
  });

  test("gives a terminal to an interactive login", async () => {
    const args = ["-tt", ...sshOptions(world), `root@${machine.address}`];
    const outcome = await runProgram("ssh", args, "echo $((40 + 2)) apples\nexit 4\n");
    expect(outcome.stdout).toContain("42 apples\r\n");
    expect(outcome.status).toBe(4);
  });

  test("reads commands from a client that asks for a shell without a terminal", async () => {
    const args = ["-T", ...sshOptions(world), `root@${machine.address}`];
    const outcome = await runProgram("ssh", args, "echo one\necho two\nexit 5\n");
    expect(outcome).toMatchObject({ status: 5, stdout: "one\ntwo\n" });
  });

  test("ends the command of a client that vanishes", async () => {
    const args = [...sshOptions(world), `root@${machine.address}`, "echo $$; exec sleep 600"];
    const client = spawn("ssh", args, { stdio: ["ignore", "pipe", "inherit"] });
    const [first] = (await once(client.stdout, "data")) as [Buffer];
    const pid = Number(first.toString());
    client.kill("SIGKILL");
    await eventually("the sleep has ended", () => !isAlive(pid));
  });
});

describe("a guest with a boot program", () => {
  test("has what that brings, prints what that says, and takes it along when it ends", async () => {
    const dir = mkdtempSync(join(tmpdir(), "lazyssh boot "));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    const boot = join(dir, "boot program");
    const lines = [
      "echo $$ > service",
      "until [ -d volume/ ]; do sleep 0.02; done",
      "echo found its volume",
      "exec sleep 600",
    ];
    writeFileSync(boot, `#!/bin/sh\n${lines.join("\n")}\n`, { mode: 0o755 });
    await using world = await startWorld({ boot });
    const machine = await bootMachine(world, { volume: true });
    const pid = Number(
      (await ssh(world, machine, "until [ -s service ]; do sleep 0.02; done; cat service")).stdout,
    );
    expect(isAlive(pid)).toBe(true);
    await eventually("its word on the console", async () => {
      const { Output = "" } = await world.ec2.send(new GetConsoleOutputCommand({ InstanceId: machine.id }));
      return Buffer.from(Output, "base64").toString().includes("found its volume\n");
    });
    await fetch(`${world.world.endpoint}/_dev/kill/${machine.id}`, { method: "POST" });
    await eventually("the boot program has ended", () => !isAlive(pid));
  });

  test("is not made when there is no such program", async () => {
    await expect(startWorld({ boot: "/nowhere/boot" })).rejects.toThrow(
      "the boot program /nowhere/boot cannot be run",
    );
  });
});

describe("a guest that is terminated", () => {
  test("lets its processes clean up, and leaves nothing of them", async () => {
    await using world = await startWorld({ delays: { shutdownMs: 5_000 } });
    const machine = await bootMachine(world, { volume: true });
    const script = "trap 'echo saved > volume/last; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
    const args = [...sshOptions(world), `root@${machine.address}`, script];
    const client = spawn("ssh", args, { stdio: ["ignore", "pipe", "ignore"] });
    await once(client.stdout, "data");
    const left = once(client, "close");
    const pid = world.world.state().instances[0]?.pid;
    await world.ec2.send(new TerminateInstancesCommand({ InstanceIds: [machine.id] }));
    await left;
    await untilState(world, machine.id, "terminated");
    expect((await runProgram("cat", [join(world.world.volumeFolder, "last")])).stdout).toBe("saved\n");
    expect(pid).toBeTypeOf("number");
    await eventually("the guest has ended", () => !isAlive(pid ?? 0));
    await eventually("its home is gone", () => !existsSync(join(world.world.dir, "instances", machine.id)));
  });

  test("takes along processes that ignore the polite signal", async () => {
    await using world = await startWorld();
    const machine = await bootMachine(world);
    const command = "trap '' TERM HUP; echo $$; while :; do sleep 0.05; done";
    const args = [...sshOptions(world), `root@${machine.address}`, command];
    const client = spawn("ssh", args, { stdio: ["ignore", "pipe", "ignore"] });
    const [first] = (await once(client.stdout, "data")) as [Buffer];
    await world.ec2.send(new TerminateInstancesCommand({ InstanceIds: [machine.id] }));
    await eventually("the stubborn process has ended", () => !isAlive(Number(first.toString())));
    await untilState(world, machine.id, "terminated");
  });
});
