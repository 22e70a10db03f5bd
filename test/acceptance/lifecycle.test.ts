import { existsSync } from "node:fs";
import { join } from "node:path";
import { AttachVolumeCommand, RunInstancesCommand, TerminateInstancesCommand } from "@aws-sdk/client-ec2";
import { describe, expect, it } from "vitest";
import { LOGGED } from "../harness/program.ts";
import { type Scene, type SceneOptions, startScene } from "../harness/scene.ts";
import { ec2Client, eventually } from "../harness/world.ts";

/** Two seconds, and what a busy machine may take on top. */
const SOON_MS = 5_000;

async function scene(options: SceneOptions = {}): Promise<Scene> {
  return startScene(options);
}

describe("one machine for everybody", () => {
  it("starts it once for twenty clients at once, and answers all of them", async () => {
    await using s = await scene();
    const results = await Promise.all(Array.from({ length: 20 }, (_, n) => s.ssh(`echo client ${n}`)));
    expect(results.map(({ code }) => code)).toEqual(Array(20).fill(0));
    expect(results.map(({ stdout }) => stdout.toString())).toEqual(
      Array.from({ length: 20 }, (_, n) => `client ${n}\n`),
    );
    expect(s.calls("RunInstances")).toBe(1);
    await s.quiet();
  }, 60_000);

  it("gives each connection one of its own with shared = false", async () => {
    await using s = await scene({ target: { shared: "false" }, volume: false });
    const results = await Promise.all(Array.from({ length: 3 }, () => s.ssh("pwd")));
    expect(results.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(new Set(results.map(({ stdout }) => stdout.toString())).size).toBe(3);
    expect(s.calls("RunInstances")).toBe(3);
    await s.quiet();
  }, 60_000);

  it("gives the channels of one connection the same machine with shared = false", async () => {
    await using s = await scene({ target: { shared: "false" }, volume: false });
    // One connection to the jump host, which two clients share: two channels of it.
    const control = join(s.world.dir, "mux");
    s.start("ssh", ["-F", s.sshConfig, "-N", "-M", "-S", control, "lazyssh"]);
    await eventually("the shared connection", () => existsSync(control));
    const proxy = `ProxyCommand=ssh -F ${s.sshConfig} -S ${control} -W archiver:${s.world.guestPort} lazyssh`;
    const results = await Promise.all([1, 2].map(() => s.ssh("pwd; sleep 1", { args: ["-o", proxy] })));
    expect(results.map(({ code, stderr }) => [code, stderr])).toEqual([
      [0, ""],
      [0, ""],
    ]);
    expect(results[0]?.stdout.toString()).toBe(results[1]?.stdout.toString());
    expect(s.calls("RunInstances")).toBe(1);
  }, 60_000);
});

describe("when the last client has gone", () => {
  it("terminates the machine within two seconds and the volume becomes available", async () => {
    await using s = await scene();
    expect((await s.ssh("true")).code).toBe(0);
    const left = Date.now();
    await s.quiet(SOON_MS);
    const asked = s.world
      .state()
      .events.find(({ type, action }) => type === "call" && action === "TerminateInstances");
    expect((asked?.at ?? Number.NaN) - left).toBeLessThan(2_000);
  }, 60_000);

  it("keeps the machine while it lingers, and gives the same one to who comes back", async () => {
    await using s = await scene({ target: { linger: '"8s"' } });
    const first = await s.ssh("pwd");
    const second = await s.ssh("pwd");
    expect(second.stdout.toString()).toBe(first.stdout.toString());
    expect(s.calls("RunInstances")).toBe(1);
    const lingers = () => s.jump.log.filter(({ msg, to }) => msg === "machine.state" && to === "lingering");
    await expect.poll(() => lingers().length, LOGGED).toBe(2);
    const left = Date.parse(String(lingers()[1]?.time));
    expect(s.running()).toHaveLength(1);
    await s.quiet(8_000 + SOON_MS);
    const asked = s.world
      .state()
      .events.find(({ type, action }) => type === "call" && action === "TerminateInstances");
    expect((asked?.at ?? 0) - left).toBeGreaterThan(7_900);
  }, 60_000);

  it("gives who comes back while it is being stopped a new machine, after the volume is free", async () => {
    await using s = await scene({ world: { delays: { shutdownMs: 1_500, detachMs: 500 } } });
    expect((await s.ssh("echo first > ~/volume/file")).code).toBe(0);
    await eventually("the machine to shut down", () => s.running().some(({ state }) => state === "stopping"));
    const { code, stdout, stderr } = await s.ssh("cat ~/volume/file");
    expect([code, stdout.toString(), stderr]).toEqual([0, "first\n", ""]);
    expect(s.calls("RunInstances")).toBe(2);
    expect(s.calls("AttachVolume")).toBe(2);
    await s.quiet();
  }, 60_000);

  it("cancels the start when the only client goes away meanwhile", async () => {
    await using s = await scene({ world: { delays: { pendingMs: 60_000 } } });
    // The process that holds the connection: that is the one ssh -J starts, too.
    const client = s.start("ssh", ["-F", s.sshConfig, "-W", `archiver:${s.world.guestPort}`, "lazyssh"]);
    await eventually("the order", () => s.running().length === 1);
    client.process.kill("SIGKILL");
    await s.quiet(SOON_MS);
  }, 60_000);
});

describe("when the start fails, every client sees the cause, nothing stays, and the next start works", () => {
  const cases: [string, Parameters<Scene["world"]["faults"]["set"]>[0], SceneOptions, RegExp][] = [
    ["no capacity", [{ action: "RunInstances", kind: "capacity" }], {}, /capacity/i],
    [
      "an image that does not exist",
      [],
      { target: { image_id: '"ami-00000000000000000"' } },
      /image ami-00000000000000000/,
    ],
    [
      "a machine that dies while pending",
      [
        {
          action: "RunInstances",
          kind: "dies-pending",
          code: "Client.VolumeLimitExceeded",
          reason: "Volume limit exceeded",
        },
      ],
      {},
      /Volume limit exceeded/,
    ],
    [
      "a port that never opens",
      [{ action: "RunInstances", kind: "never-opens" }],
      { target: { boot_timeout: '"6s"' } },
      /not ready within 6 s.*refuses connections/,
    ],
    [
      "a port that opens and never says a word",
      [{ action: "RunInstances", kind: "silent" }],
      { target: { boot_timeout: '"6s"', ready: '"ssh"' } },
      /not ready within 6 s.*accepts, and has not sent an SSH greeting yet/,
    ],
    [
      "missing permission",
      [{ action: "RunInstances", kind: "error", code: "UnauthorizedOperation", status: 403 }],
      {},
      /RunInstances/,
    ],
  ];

  it.each(cases)(
    "%s",
    async (_, faults, options, cause) => {
      await using s = await scene(options);
      s.world.faults.set(faults);
      const started = Date.now();
      const results = await Promise.all([s.ssh("true"), s.ssh("true"), s.ssh("true")]);
      expect(Date.now() - started).toBeLessThan(15_000);
      for (const { code, stderr } of results) {
        expect(code).toBe(255);
        expect(stderr).toMatch(cause);
      }
      await s.quiet();
      s.world.faults.clear();
      if (options.target?.image_id === undefined)
        expect((await s.ssh("echo works")).stdout.toString()).toBe("works\n");
      expect(s.jump.process.exitCode).toBeNull();
    },
    60_000,
  );

  it("waits for a volume that somebody else holds before it orders anything, and says who", async () => {
    await using s = await scene({ target: { boot_timeout: '"6s"' } });
    const ec2 = ec2Client(s.world);
    const { Instances } = await ec2.send(
      new RunInstancesCommand({
        ImageId: "ami-0123456789abcdef0",
        InstanceType: "t4g.nano",
        MinCount: 1,
        MaxCount: 1,
        Placement: { AvailabilityZone: "us-west-2d" },
      }),
    );
    const holder = Instances?.[0]?.InstanceId ?? "";
    await eventually("the other machine to run", () => s.running()[0]?.state === "running");
    await ec2.send(
      new AttachVolumeCommand({ InstanceId: holder, VolumeId: s.world.volumeId, Device: "/dev/sdf" }),
    );
    const refused = await s.ssh("true");
    expect(refused.stderr).toContain(s.world.volumeId);
    expect(refused.stderr).toContain(holder);
    expect(s.calls("RunInstances")).toBe(1);
    const prepared = () =>
      s.jump.log.filter(({ msg, to }) => msg === "machine.state" && to === "preparing").length;
    const before = prepared();
    const waiting = s.ssh("echo mine");
    await expect.poll(prepared, LOGGED).toBeGreaterThan(before);
    await ec2.send(new TerminateInstancesCommand({ InstanceIds: [holder] }));
    const { stdout } = await waiting;
    expect(stdout.toString()).toBe("mine\n");
    ec2.destroy();
  }, 60_000);
});
