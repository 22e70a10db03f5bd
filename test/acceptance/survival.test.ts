import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startScene } from "../harness/scene.ts";
import { freePort } from "../harness/tcp.ts";
import { eventually } from "../harness/world.ts";

describe("kill -9", () => {
  it("of a client: its machine is stopped, the server goes on", async () => {
    await using s = await startScene();
    const client = s.start("ssh", ["-F", s.sshConfig, "archiver", "echo up; sleep 600"]);
    await new Promise((up) => client.process.stdout.once("data", up));
    client.process.kill("SIGKILL");
    await s.quiet();
    expect((await s.ssh("echo again")).stdout.toString()).toBe("again\n");
  }, 60_000);

  it("of a machine in use: its client is cut off, the next one gets a new machine with the same volume", async () => {
    await using s = await startScene({ target: { linger: '"10m"' } });
    const client = s.start("ssh", [
      "-F",
      s.sshConfig,
      "archiver",
      "echo kept > ~/volume/file; echo up; sleep 600",
    ]);
    await new Promise((up) => client.process.stdout.once("data", up));
    const [machine] = s.running();
    process.kill(machine?.pid ?? 0, "SIGKILL");
    await client.ended;
    // It lingers, as far as lazyssh knows, until the watch sees that it is gone.
    await s.jump.logged("machine.state", ({ to, machine: id }) => to === "stopping" && id === machine?.id);
    const { stdout } = await s.ssh("cat ~/volume/file");
    expect(stdout.toString()).toBe("kept\n");
    expect(s.running()[0]?.id).not.toBe(machine?.id);
  }, 60_000);

  it("of a machine that lingers: who comes before that is noticed gets a new one, not an error", async () => {
    await using s = await startScene({ target: { linger: '"10m"' } });
    expect((await s.ssh("echo kept > ~/volume/file")).code).toBe(0);
    const [machine] = s.running();
    process.kill(machine?.pid ?? 0, "SIGKILL");
    await eventually("the end of the machine", () => s.running().length === 0);
    const { code, stdout, stderr } = await s.ssh("cat ~/volume/file");
    expect([code, stdout.toString(), stderr]).toEqual([0, "kept\n", ""]);
    expect(s.calls("RunInstances")).toBe(2);
  }, 60_000);

  it("of the server: the next one takes the machine over, serves with it, and stops it", async () => {
    await using s = await startScene({ target: { linger: '"10m"' } });
    expect((await s.ssh("echo kept > ~/volume/file")).code).toBe(0);
    const [left] = s.running();
    s.jump.kill("SIGKILL");
    await s.jump.ended;
    await s.restart();
    const { stdout } = await s.ssh("cat ~/volume/file");
    expect(stdout.toString()).toBe("kept\n");
    expect(s.running().map(({ id }) => id)).toEqual([left?.id]);
    expect(s.calls("RunInstances")).toBe(1);
    expect((await s.jump.stop()).code).toBe(0);
    expect(s.running()).toEqual([]);
    expect(readdirSync(join(s.world.dir, "jump-state", "launches"))).toEqual([]);
  }, 60_000);

  it("of the server, for good: the next one stops what the first left, although nobody connects", async () => {
    await using s = await startScene({ world: { delays: { pendingMs: 2_000 } } });
    const client = s.start("ssh", ["-F", s.sshConfig, "archiver", "true"]);
    await eventually("the order", () => s.running().length === 1);
    s.jump.kill("SIGKILL");
    await s.jump.ended;
    await client.ended;
    await s.restart();
    await s.quiet(60_000);
  }, 90_000);

  it("of the EC2 endpoint for 30 seconds: connections live on, and everything recovers by itself", async () => {
    // The endpoint is a relay in a process of its own, so that it can really be killed.
    let relay = { port: 0, kill: () => Promise.resolve() };
    const startRelay = async (target: string, port: number): Promise<typeof relay> => {
      const child = fork(new URL("../fixtures/relay.mjs", import.meta.url), [String(port), target]);
      const listening = await Promise.race([
        once(child, "message").then(([at]) => Number(at)),
        once(child, "exit").then(() => Promise.reject(new Error("the relay has ended"))),
      ]);
      const exited = new Promise<void>((exit) => child.once("exit", () => exit()));
      const kill = () => {
        child.kill("SIGKILL");
        return exited;
      };
      return { port: listening, kill };
    };
    await using s = await startScene({
      endpoint: async (world) => {
        relay = await startRelay(world.endpoint, await freePort());
        return `http://127.0.0.1:${relay.port}`;
      },
    });
    try {
      const client = s.start("ssh", ["-F", s.sshConfig, "archiver", "echo up; cat"]);
      await new Promise((up) => client.process.stdout.once("data", up));
      const { port } = relay;
      await relay.kill();
      const down = Date.now();

      const refused = s.ssh("echo waited");
      await eventually("30 seconds of outage", () => Date.now() - down > 30_000, 40_000);
      client.process.stdin.end("alive\n");
      expect((await client.ended).stdout.toString()).toBe("up\nalive\n");
      expect(await refused).toMatchObject({ code: 0 });

      // The last connection has gone while nobody answers: the machine still runs, and is ended later.
      await s.jump.logged("machine.leak_suspected");
      expect(s.running()).toHaveLength(1);
      relay = await eventually(
        "the relay, should somebody else have its port for a moment",
        () => startRelay(s.world.endpoint, port).catch(() => undefined),
        30_000,
      );
      await s.quiet(40_000);
      expect((await s.ssh("echo again")).stdout.toString()).toBe("again\n");
    } finally {
      await relay.kill();
    }
  }, 120_000);
});

describe("the end of whoever reads the log", () => {
  it("does not end the server: it serves on, and stops its machines when told to", async () => {
    await using s = await startScene({ target: { linger: '"10m"' } });
    s.jump.process.stderr?.destroy();
    s.jump.process.stdout?.destroy();
    for (const word of ["one", "two"])
      expect((await s.ssh(`echo ${word}`)).stdout.toString()).toBe(`${word}\n`);
    expect(s.calls("RunInstances")).toBe(1);
    expect((await s.jump.stop()).code).toBe(0);
    expect(s.running()).toEqual([]);
  }, 60_000);
});

describe("signals", () => {
  it("SIGTERM stops all machines, tells connected clients why, and ends with 0", async () => {
    await using s = await startScene({ target: { linger: '"10m"' } });
    const client = s.start("ssh", ["-F", s.sshConfig, "archiver", "echo up; sleep 600"]);
    await new Promise((up) => client.process.stdout.once("data", up));
    const { code, stderr } = await s.jump.stop();
    expect(code).toBe(0);
    expect(stderr).toContain('"msg":"server.stopping"');
    await client.ended;
    expect(s.running()).toEqual([]);
    expect(s.volumeState()).toBe("available");
  }, 60_000);

  it("refuses new work from the first signal on, and says so", async () => {
    await using s = await startScene({
      target: { linger: '"10m"' },
      world: { delays: { shutdownMs: 5_000 } },
      more: 'target "here" "forward" {\n  to = "127.0.0.1"\n}\n',
    });
    const control = join(s.world.dir, "mux");
    s.start("ssh", ["-F", s.sshConfig, "-N", "-M", "-S", control, "lazyssh"]);
    await eventually("the shared connection", () => existsSync(control));
    expect((await s.ssh("true")).code).toBe(0);
    s.jump.kill("SIGTERM");
    await s.jump.logged("server.stopping");
    const late = s.start("ssh", ["-F", s.sshConfig, "-S", control, "-W", "here:22", "lazyssh"]);
    expect((await late.ended).code).not.toBe(0);
    const refused = await s.jump.logged("channel.refused");
    expect(refused.reason).toContain("shutting down");
    expect((await s.jump.ended).code).toBe(0);
  }, 60_000);

  it("a second signal says by id what still runs, and ends with 1", async () => {
    await using s = await startScene({
      target: { linger: '"10m"' },
      world: { delays: { shutdownMs: 30_000 } },
    });
    expect((await s.ssh("true")).code).toBe(0);
    const [machine] = s.running();
    s.jump.kill("SIGTERM");
    await s.jump.logged("server.stopping");
    s.jump.kill("SIGINT");
    const { code, stderr } = await s.jump.ended;
    expect(code).toBe(1);
    expect(stderr).toContain("RUNNING AND COSTING MONEY");
    expect(stderr).toContain(machine?.id);
  }, 60_000);
});
