import { describe, expect, onTestFinished, test } from "vitest";
import type { UserConfig } from "../../../src/config/access.ts";
import type { Tenant } from "../../../src/targets/lease.ts";
import { readyTarget, restingTarget } from "../../harness/by-hand.ts";
import { type DoorOptions, openDoor, poll } from "../../harness/front-door.ts";
import { authorizedKey, userConfig } from "../../harness/server-config.ts";
import { type StartOptions, ssh, startSsh } from "../../harness/ssh.ts";

/** A door whose one user is alice, with what she may. */
async function doorOf(may: Partial<UserConfig> = {}, options: DoorOptions = {}) {
  const door = await openDoor(options);
  onTestFinished(() => door[Symbol.asyncDispose]());
  const users = [userConfig("alice", [authorizedKey(door.clientKey)], may)];
  door.reload({ users });
  const file = await door.config();
  const run = (args: readonly string[], start: StartOptions = {}) =>
    ssh(["-F", file, ...args.slice(0, -1), "lazyssh", ...args.slice(-1)], start);
  return { ...door, file, run, told: (command: string) => run([command]) };
}

const since = Date.now() - 12 * 60_000;

describe("ssh lazyssh", () => {
  test("shows the targets, says how to go on, and ends with 0", async () => {
    const { machines, file, event } = await doorOf();
    const forward = { ...restingTarget(), name: "home", type: "forward", summary: undefined };
    machines.targets = [readyTarget(since), { ...restingTarget(), name: "b" }, forward];
    const { code, stdout, stderr } = await ssh(["-F", file, "-T", "lazyssh"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout.toString()).toBe(`TARGET    TYPE                             MACHINE
archiver  aws_ec2, t4g.nano in us-west-2d  ready for 12m, 1 connection, kept by hand
b         aws_ec2, t4g.nano in us-west-2d  none
home      forward

This is a jump host, there is no shell: use ssh -J lazyssh TARGET. More is told by ssh lazyssh help.
`);
    expect(await event("session")).toMatchObject({
      user: "alice",
      command: undefined,
      status: 0,
      channel: 0,
    });
  });

  test("has lines that end for a terminal in raw mode, where one was asked for", async () => {
    const { file } = await doorOf();
    const { code, stdout } = await ssh(["-F", file, "-tt", "lazyssh"]);
    expect(code).toBe(0);
    const lines = stdout.toString().split("\n");
    expect(lines.length).toBeGreaterThan(3);
    expect(lines.slice(0, -1).every((line) => line.endsWith("\r"))).toBe(true);
  });

  test("shows only what the user may reach", async () => {
    const { machines, file } = await doorOf({ targets: ["b*"] });
    machines.targets = [readyTarget(since), { ...restingTarget(), name: "b" }];
    const { stdout } = await ssh(["-F", file, "lazyssh"]);
    expect(stdout.toString()).toMatch(/^b /m);
    expect(stdout.toString()).not.toContain("archiver");
  });

  test("shows the help to who may have no status", async () => {
    const { file } = await doorOf({ commands: ["stop"] });
    const { code, stdout } = await ssh(["-F", file, "lazyssh"]);
    expect(code).toBe(0);
    expect(stdout.toString()).toContain("stop TARGET");
    expect(stdout.toString()).not.toContain("status [--json]");
  });

  test("gives who may ask for nothing no session, and says so", async () => {
    const { file, event } = await doorOf({ commands: [] });
    const { code, stderr } = await ssh(["-F", file, "lazyssh"]);
    expect(code).toBe(255);
    expect(stderr).toContain(
      "this is a jump host: use ssh -J lazyssh TARGET; alice may not ask it for anything else",
    );
    expect(await event("session.refused")).toMatchObject({ user: "alice", code: "NOT_PERMITTED" });
  });
});

describe("ssh lazyssh status", () => {
  test("tells what lazyssh status tells, but not where the server runs", async () => {
    const { machines, told, event } = await doorOf();
    machines.targets = [readyTarget(since)];
    machines.found = [{ id: "vol-1", state: "in-use", sizeGiB: 500, type: "sc1", holders: ["i-1"] }];
    const { code, stdout, stderr } = await told("status");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout.toString()).toMatch(/^lazyssh \S+, for \d+ s\n\narchiver {2}aws_ec2/);
    expect(stdout.toString()).toContain("  volume   vol-1  in-use by i-1, 500 GiB sc1");
    expect(await event("control")).toMatchObject({ do: "status", user: "alice", connection: /./ });
  });

  test("is JSON for a program, in the same shape", async () => {
    const { machines, told } = await doorOf();
    machines.targets = [readyTarget(since)];
    const { code, stdout } = await told("status --json --no-volumes");
    expect(code).toBe(0);
    expect(JSON.parse(stdout.toString())).toMatchObject({
      format_version: "1.0",
      server: { pid: null, config: null, state_dir: null },
      targets: [{ name: "archiver", volumes: null, machines: [{ machine: "i-1" }] }],
    });
  });

  test("cannot be made to move a cursor by what others are called", async () => {
    const { machines, told } = await doorOf();
    machines.targets = [{ ...restingTarget(), name: "a\u001b[2Jb\u202ec" }];
    const { stdout } = await told("status");
    expect(stdout.toString()).toContain("a [2Jb c");
  });

  test("comes whole through a window that opens bit by bit, though keys are exchanged meanwhile", async () => {
    const { machines, told, run } = await doorOf();
    machines.targets = Array.from({ length: 2_000 }, (_, n) => ({ ...restingTarget(), name: `target-${n}` }));
    const { stdout } = await told("status --no-volumes");
    expect(stdout.toString()).toContain("target-1999");
    const again = await run(["-o", "RekeyLimit=16K", "status --no-volumes"]);
    expect(again.stdout.length).toBe(stdout.length);
  });
});

describe("ssh lazyssh start", () => {
  test("tells the stages as they come, and keeps the machine for its user", async () => {
    const { machines, told, event } = await doorOf();
    let by: Tenant | undefined;
    machines.boot = async (options) => {
      ({ by } = options);
      const stage = { summary: "t4g.nano", machine: "i-1", waitingFor: undefined, unfit: undefined };
      by?.told?.({ ...stage, state: "launching" });
      by?.told?.({ ...stage, state: "booting" });
    };
    const { code, stdout, stderr } = await told("start archiver --for 2h");
    expect(stderr).toMatch(
      /^lazyssh: archiver: starting t4g\.nano\nlazyssh: archiver: i-1 boots\nlazyssh: archiver: ready in \d+ ms\n$/,
    );
    expect([code, stdout.toString()]).toEqual([0, "archiver is ready, and is kept for 2h\n"]);
    expect(machines.asked).toEqual([{ hold: "archiver", forMs: 7_200_000, lift: false }]);
    expect(by).toMatchObject({ client: /127\.0\.0\.1:/, user: { name: "alice" } });
    expect(await event("control")).toMatchObject({ do: "start", target: "archiver", user: "alice" });
  });

  test.each(["SIGKILL", "SIGINT"] as const)("is taken back when the client ends by %s", async (signal) => {
    const { machines, file, event } = await doorOf();
    machines.boot = ({ signal: gone }) =>
      new Promise((_, reject) => gone.addEventListener("abort", () => reject(gone.reason)));
    const client = startSsh(["-F", file, "lazyssh", "start archiver"]);
    await poll("the start", () => machines.asked.length === 1);
    client.child.kill(signal);
    await poll("the end of the wait", () => machines.takenBack.length === 1);
    expect(await event("session")).toMatchObject({ command: "start archiver", status: undefined });
  });

  test("is taken back by Ctrl-C in a terminal", async () => {
    const { machines, file } = await doorOf();
    machines.boot = ({ signal: gone }) =>
      new Promise((_, reject) => gone.addEventListener("abort", () => reject(gone.reason)));
    const client = startSsh(["-F", file, "-tt", "lazyssh", "start archiver"]);
    await poll("the start", () => machines.asked.length === 1);
    client.child.stdin?.write("\u0003");
    const { code, stderr } = await client.result;
    expect(code).toBe(130);
    expect(stderr).toContain("lazyssh: interrupted by Ctrl-C, and taken back\r\n");
    expect(machines.takenBack).toHaveLength(1);
  });

  test("goes on when the client only says that it has no more input", async () => {
    const { machines, told } = await doorOf();
    machines.boot = async () => poll("the request", () => machines.asked.length > 0).then(() => undefined);
    expect((await told("start archiver")).code).toBe(0);
  });

  test("is refused in words for what is not permitted, and with the usage for what is not understood", async () => {
    const { machines, told } = await doorOf({ commands: ["status", "start"], targets: ["archiver"] });
    machines.targets = [restingTarget(), { ...restingTarget(), name: "secret" }];
    expect(await told("stop archiver")).toMatchObject({
      code: 1,
      stderr: 'lazyssh: alice may not have "stop" done here, only: status, start, help\n',
    });
    for (const name of ["secret", "nothing"]) {
      expect(await told(`start ${name}`)).toMatchObject({
        code: 1,
        stderr: `lazyssh: "${name}" is not among the targets that alice may reach: archiver\n`,
      });
    }
    const lift = await told("start archiver --lift");
    expect(lift.code).toBe(2);
    expect(lift.stderr).toContain("--lift is not offered here, only on the server itself");
    expect(lift.stderr).toContain("start TARGET [--for DURATION]");
    const long = await told(`start ${"x".repeat(20_000)}`);
    expect([long.code, long.stderr.length < 1_200]).toEqual([1, true]);
    const shell = await told("/bin/sh -c id");
    expect(shell.code).toBe(2);
    expect(shell.stderr).toContain('there is no command "/bin/sh"');
    expect(machines.asked).toEqual([]);
  });
});

describe("ssh lazyssh stop", () => {
  test("says what is being stopped, and who keeps what is not", async () => {
    const { machines, told } = await doorOf();
    machines.dropped = { machines: ["i-1"], kept: [] };
    expect(await told("stop archiver")).toMatchObject({ code: 0, stderr: "" });
    const lease = { kind: "channel", user: "bob", client: "192.0.2.7:1", connection: "c", since } as const;
    machines.dropped = { machines: [], kept: [{ ...lease, status: "held" }] };
    const { code, stderr } = await told("stop archiver");
    expect(code).toBe(1);
    expect(stderr).toMatch(/bob from 192\.0\.2\.7:1 uses it since/);
    expect(stderr).toContain("End them, too, with: ssh lazyssh stop archiver --cut");
    await told("stop archiver --cut");
    expect(machines.asked.at(-1)).toEqual({ drop: "archiver", cut: true });
  });

  test("does not end the connections of others, who may be in the middle of a backup", async () => {
    const { machines, told } = await doorOf();
    const target = readyTarget(since);
    const usedBy = (user: string) => ({
      ...target,
      machines: target.machines.map((machine) => ({
        ...machine,
        leases: machine.leases.map((lease) => ({ ...lease, user })),
      })),
    });
    machines.targets = [usedBy("bob")];
    expect(await told("stop archiver --cut")).toMatchObject({
      code: 1,
      stderr:
        "lazyssh: archiver: it is used by bob from 192.0.2.7:50123, too, whose connections may be ended at the jump host itself only: lazyssh stop --cut\n",
    });
    expect(machines.asked).toEqual([]);
    machines.targets = [usedBy("alice")];
    expect(await told("stop archiver --cut")).toMatchObject({ code: 0 });
    expect(machines.asked).toEqual([{ drop: "archiver", cut: true }]);
  });
});

describe("a key with a command of its own", () => {
  test.each(["stop archiver", "start archiver --for 1h", "/bin/sh"])(
    "has that run instead of %s",
    async (asked) => {
      const { machines, reload, clientKey, told, file, event } = await doorOf();
      const keys = [authorizedKey(clientKey, { command: "status --json --no-volumes" })];
      reload({ users: [userConfig("alice", keys)] });
      const { code, stdout } = await told(asked);
      expect(code).toBe(0);
      expect(JSON.parse(stdout.toString())).toMatchObject({ format_version: "1.0" });
      expect((await ssh(["-F", file, "lazyssh"])).stdout.toString()).toContain("format_version");
      expect(await event("session")).toMatchObject({ command: "status --json --no-volumes" });
      expect(machines.asked).toEqual([]);
    },
  );

  test("may have no more run than its user", async () => {
    const { reload, clientKey, told, machines } = await doorOf();
    const keys = [authorizedKey(clientKey, { command: "stop archiver" })];
    reload({ users: [userConfig("alice", keys, { commands: ["status"] })] });
    const { code, stderr } = await told("status");
    expect(code).toBe(1);
    expect(stderr).toContain('alice may not have "stop" done here');
    expect(machines.asked).toEqual([]);
  });
});

describe("what sessions do not have", () => {
  test("subsystems: sftp is told so", async () => {
    const { file } = await doorOf();
    const { code, stderr } = await ssh(["-F", file, "-s", "lazyssh", "sftp"]);
    expect(code).toBe(1);
    expect(stderr).toContain('lazyssh: this is a jump host, it has no subsystem "sftp"');
    const sftp = await ssh(["-F", file, "lazyssh"], { program: "sftp" });
    expect(sftp.stderr).toContain('it has no subsystem "sftp"');
  });

  test("agents, and environment: the command runs all the same", async () => {
    const { run } = await doorOf();
    const { code, stderr } = await run(["-A", "-o", "SetEnv=A=B", "status"]);
    expect([code, stderr]).toEqual([0, ""]);
  });
});
