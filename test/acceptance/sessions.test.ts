import { describe, expect, it } from "vitest";
import { runProgram } from "../harness/program.ts";
import { type Scene, startScene } from "../harness/scene.ts";
import { eventually } from "../harness/world.ts";

const TIMEOUT_MS = 120_000;

/** `ssh lazyssh COMMAND` against the built program. */
async function command(s: Scene, ...words: string[]) {
  const client = s.start("ssh", ["-F", s.sshConfig, "-o", "BatchMode=yes", "lazyssh", ...words]);
  client.process.stdin.end();
  const { code, stdout, stderr } = await client.ended;
  return { code, stdout: stdout.toString(), stderr };
}

const family = (s: { endpoint: string; guestPort: number }) => `
target "*.dev" "aws_ec2" {
  region        = "us-west-2"
  endpoint      = ${JSON.stringify(s.endpoint)}
  image_id      = "ami-0123456789abcdef0"
  instance_type = "t4g.nano"
  key_name      = "lazyssh-dev"
  check_port    = ${s.guestPort}
  max_machines  = 2
}
`;

/** Names of the machines that run. */
const names = (s: Scene) =>
  s
    .running()
    .map(({ tags }) => tags["lazyssh:target"])
    .sort();

/** A connection to a target's ssh server that stays until it is disposed. */
async function connected(s: Scene, name: string) {
  const client = s.start("ssh", [
    "-F",
    s.sshConfig,
    "-o",
    "BatchMode=yes",
    "-W",
    `${name}:${s.world.guestPort}`,
    "lazyssh",
  ]);
  const ident = new Promise<string>((resolve) =>
    client.process.stdout.once("data", (chunk: Buffer) => resolve(chunk.toString())),
  );
  const first = await Promise.race([ident, client.ended]);
  if (typeof first !== "string") throw new Error(`no connection to ${name}: ${first.stderr}`);
  expect(first).toMatch(/^SSH-2\.0-/);
  return client;
}

describe.concurrent("ssh lazyssh", () => {
  it(
    "starts, shows and stops a machine",
    async () => {
      await using s = await startScene();
      const before = await command(s);
      expect(before.code).toBe(0);
      expect(before.stdout).toMatch(/^archiver {2}aws_ec2, t4g\.nano in us-west-2d {2}none$/m);

      const started = await command(s, "start", "archiver", "--for", "1h");
      expect([started.code, started.stdout]).toEqual([0, "archiver is ready, and is kept for 1h\n"]);
      const lines = started.stderr.trimEnd().split("\n");
      expect(lines[0]).toMatch(/^lazyssh: archiver: starting t4g\.nano in us-west-2d/);
      expect(lines.at(-1)).toMatch(/^lazyssh: archiver: ready in /);

      const [id] = s.running().map((instance) => instance.id);
      const shown = await command(s, "status");
      expect(shown.stdout).toContain(`machine  ${id}  ready for`);
      expect(shown.stdout).toMatch(/kept by hand, by jump from 127\.0\.0\.1:\d+, for/);
      expect(shown.stdout).toContain(s.world.volumeId);
      const json = JSON.parse((await command(s, "status", "--json")).stdout);
      expect(json.targets[0].machines).toMatchObject([
        { target: "archiver", machine: id, leases: [{ kind: "by_hand", user: "jump" }] },
      ]);

      expect(await command(s, "stop", "archiver")).toMatchObject({
        code: 0,
        stdout: `archiver: ${id} is being stopped\n`,
      });
      await s.quiet();
      expect(s.calls("RunInstances")).toBe(1);
      expect(await s.jump.logged("control", (line) => line.do === "start")).toMatchObject({ user: "jump" });
      expect(await s.jump.logged("session", (line) => line.command === "stop archiver")).toMatchObject({
        user: "jump",
        status: 0,
      });
    },
    TIMEOUT_MS,
  );

  it(
    "takes a start back when its client leaves",
    async () => {
      await using s = await startScene({ world: { delays: { bootMs: 60_000 } } });
      const client = s.start("ssh", ["-F", s.sshConfig, "lazyssh", "start", "archiver"]);
      await eventually("the machine", () => s.running().length === 1);
      client.process.kill("SIGINT");
      await s.quiet();
    },
    TIMEOUT_MS,
  );

  it(
    "says why a start fails, and which targets there are",
    async () => {
      await using s = await startScene();
      s.world.faults.set([{ action: "RunInstances", kind: "capacity" }]);
      const refused = await command(s, "start", "archiver");
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(/lazyssh: .*sufficient t4g\.nano capacity/);
      const unknown = await command(s, "start", "archivr");
      expect(unknown.code).toBe(2);
      expect(unknown.stderr).toContain('there is no target "archivr": did you mean "archiver"?');
      await s.quiet();
    },
    TIMEOUT_MS,
  );
});

describe.concurrent("a family of targets", () => {
  it(
    "has two machines at once, each by its name, also after a crash of the server",
    async () => {
      await using s = await startScene({ more: family });
      const a = await connected(s, "a.dev");
      const b = await connected(s, "b.dev");
      expect(names(s)).toEqual(["a.dev", "b.dev"]);
      const ids = s.running().map(({ id }) => id);
      const third = s.start("ssh", ["-F", s.sshConfig, "-W", "c.dev:22", "lazyssh"]);
      const refused = await third.ended;
      expect(refused.stderr).toContain("2 machines of *.dev there are already");
      const shown = await command(s);
      expect(shown.stdout).toMatch(/^\*\.dev .* one for each name$/m);
      expect(shown.stdout).toMatch(/^a\.dev .* ready for .*, 1 connection$/m);

      s.jump.kill("SIGKILL");
      await Promise.all([s.jump.ended, a.ended, b.ended]);
      await s.restart();
      await connected(s, "a.dev");
      await connected(s, "b.dev");
      expect(s.running().map(({ id }) => id)).toEqual(ids);
      expect(s.calls("RunInstances")).toBe(2);

      const json = JSON.parse((await command(s, "status", "--json")).stdout);
      const machines = json.targets[1].machines as { target: string; state: string }[];
      expect(machines.map(({ target, state }) => `${target} ${state}`).sort()).toEqual([
        "a.dev ready",
        "b.dev ready",
      ]);
      expect((await command(s, "stop", "a.dev", "--cut")).stdout).toMatch(/^a\.dev: i-\w+ is being stopped/);
      await eventually("one machine less", () => names(s).join() === "b.dev");
      await s.jump.stop();
      await s.quiet();
    },
    TIMEOUT_MS,
  );

  it(
    "is swept by the names of its machines, without a server",
    async () => {
      await using s = await startScene({ more: family });
      const a = await connected(s, "a.dev");
      s.jump.kill("SIGKILL");
      await Promise.all([s.jump.ended, a.ended]);
      const swept = await runProgram(["sweep", "-c", s.configFile, "--state-dir", s.stateDir]);
      expect(swept.stdout).toMatch(/target a\.dev, running/);
      expect(swept.stdout).toMatch(/i-\w+ is gone/);
      expect(swept.code).toBe(0);
      await s.quiet();
    },
    TIMEOUT_MS,
  );

  it(
    "boots visibly, name by name",
    async () => {
      await using s = await startScene({ more: family });
      const client = s.start("ssh", [
        "-F",
        s.sshConfig,
        "-W",
        `x.dev:${s.world.guestPort}`,
        "boot+x.dev@lazyssh",
      ]);
      await eventually("the machine", () => names(s).join() === "x.dev");
      client.process.stdout.once("data", () => client.process.stdin.end());
      const { stderr } = await client.ended;
      expect(stderr).toMatch(/lazyssh: x\.dev: ready in /);
      await s.quiet();
    },
    TIMEOUT_MS,
  );
});
