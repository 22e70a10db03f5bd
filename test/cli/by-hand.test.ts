import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { fakeMachines, openControls, readyTarget, restingTarget } from "../harness/by-hand.ts";
import { runProgram, startProgram } from "../harness/program.ts";
import { tempDir } from "../harness/temp.ts";
import { eventually } from "../harness/world.ts";

const minute = 60_000;

async function open(machines = fakeMachines([restingTarget()])) {
  const dir = tempDir();
  const controls = await openControls(dir, machines, { since: Date.now() - 95 * minute });
  onTestFinished(() => controls.close());
  const run = (command: string, ...args: string[]) => runProgram([command, "--state-dir", dir, ...args]);
  return { dir, machines, run };
}

describe("lazyssh status", () => {
  it("shows people machines, who uses them, volumes and costs", async () => {
    const since = Date.now() - 12 * minute;
    const forward = { ...restingTarget(), name: "home", type: "forward", summary: undefined };
    const machines = fakeMachines([readyTarget(since), { ...restingTarget(), name: "b" }, forward]);
    machines.found = [
      { id: "vol-1", state: "in-use", sizeGiB: 500, type: "sc1", holders: ["i-1"] },
      { id: "vol-2", state: "available", sizeGiB: undefined, type: undefined, holders: [] },
    ];
    const { dir, run } = await open(machines);
    const { code, stdout, stderr } = await run("status");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toBe(`lazyssh 1.2.3, process 42, for 1h35m, listens on 127.0.0.1:7922
config c.hcl, state directory ${dir}

archiver  aws_ec2, t4g.nano in us-west-2d
  machine  i-1  ready for 12m, at 10.0.0.7, ordered 12m ago, about $0.42 so far
           used by 192.0.2.7:50123 for 12m, 2 channels
           kept by hand for 12m
  volume   vol-1  in-use by i-1, 500 GiB sc1, about $7.50 a month
  volume   vol-2  available
  today    1h30m of machine time, the budget is 4h, about $3.00

b         aws_ec2, t4g.nano in us-west-2d
  machine  none
  volume   vol-1  in-use by i-1, 500 GiB sc1, about $7.50 a month
  volume   vol-2  available
  today    0 s of machine time

home      forward

Prices of volumes are what AWS lists for us-east-1.
`);
  });

  it("shows what is waited for, why a machine is unfit, and what the cloud did not tell", async () => {
    const target = readyTarget(Date.now() - 5_000);
    const [machine] = target.machines;
    if (!machine) throw new Error("no machine");
    const waiting = { ...machine, waitingFor: "vol-1 is in-use by i-2", unfit: "EC2 takes it back at 10:00" };
    const machines = fakeMachines([
      { ...target, machines: [{ ...waiting, machine: undefined, leases: [] }] },
    ]);
    machines.found = new Error("the credentials have expired");
    const { run } = await open(machines);
    const { stdout } = await run("status");
    expect(stdout).toMatch(/no id yet {2}ready for \d s/);
    expect(stdout).toContain("           waits for: vol-1 is in-use by i-2\n");
    expect(stdout).toContain("           takes no new connections: EC2 takes it back at 10:00\n");
    expect(stdout).toContain("  volumes  not known: the credentials have expired\n");
    expect(stdout).not.toContain("us-east-1");
    expect((await run("status", "--no-volumes")).stdout).not.toContain("volumes");
  });

  it("prints all of it as JSON with --json, every key always there", async () => {
    const since = Date.parse("2026-01-02T03:04:05Z");
    const machines = fakeMachines([readyTarget(since), restingTarget()]);
    machines.found = [{ id: "vol-1", state: "available", sizeGiB: 500, type: "sc1", holders: [] }];
    const { dir, run } = await open(machines);
    const { code, stdout } = await run("status", "--json");
    const volumes = [
      {
        id: "vol-1",
        state: "available",
        size_gib: 500,
        type: "sc1",
        holders: [],
        about_usd_per_month: 7.5,
      },
    ];
    const lease = {
      kind: "channel",
      user: null,
      client: "192.0.2.7:50123",
      connection: "c1",
      since: "2026-01-02T03:04:05.000Z",
      status: "held",
    };
    expect([code, JSON.parse(stdout)]).toEqual([
      0,
      {
        format_version: "1.0",
        at: expect.any(String),
        server: {
          version: "1.2.3",
          pid: 42,
          since: expect.any(String),
          listen: "127.0.0.1:7922",
          config: "c.hcl",
          state_dir: dir,
        },
        targets: [
          {
            name: "archiver",
            type: "aws_ec2",
            summary: "t4g.nano in us-west-2d",
            hourly_price: 2,
            machines: [
              {
                target: "archiver",
                state: "ready",
                since: "2026-01-02T03:04:05.000Z",
                machine: "i-1",
                launch: "lazyssh-1",
                host: "10.0.0.7",
                started_at: "2026-01-02T03:03:35.000Z",
                about_usd: expect.any(Number),
                waiting_for: null,
                unfit: null,
                leases: [lease, lease, { ...lease, kind: "by_hand", client: null, connection: null }],
              },
            ],
            today: { machine_seconds: 5400, budget_seconds: 14400, about_usd: 3 },
            volumes,
            volumes_problem: null,
          },
          {
            name: "archiver",
            type: "aws_ec2",
            summary: "t4g.nano in us-west-2d",
            hourly_price: null,
            machines: [],
            today: { machine_seconds: 0, budget_seconds: null, about_usd: null },
            volumes,
            volumes_problem: null,
          },
        ],
      },
    ]);
  });

  it.each([["status"], ["start", "archiver"], ["stop", "archiver"]])(
    "%s says which state directory was looked at when no server is there, and ends with 1",
    async (...args) => {
      const dir = join(tempDir(), "none");
      const { code, stdout, stderr } = await runProgram([...args, "--state-dir", dir]);
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr).toContain(`no server uses the state directory ${dir}\n`);
      expect(stderr).toContain("lazyssh sweep --dry-run");
    },
  );

  it("needs a config file, or else the state directory", async () => {
    const { code, stderr } = await runProgram(["status"], { cwd: tempDir() });
    expect(code).toBe(2);
    expect(stderr).toContain('no file "config.hcl"');
  });
});

describe("lazyssh start", () => {
  it("tells each stage as it comes, and then that it is ready", async () => {
    const { machines, run } = await open();
    machines.boot = async ({ onWaiting }) => onWaiting?.("machine i-1 is pending");
    expect(await run("start", "archiver")).toMatchObject({
      code: 0,
      stderr: "archiver: machine i-1 is pending\n",
      stdout: "archiver is ready, and is kept until lazyssh stop archiver\n",
    });
    const timed = await run("start", "archiver", "--for", "1h30m", "--lift");
    expect(timed.stdout).toBe("archiver is ready, and is kept for 1h30m\n");
    expect(machines.asked).toEqual([
      { hold: "archiver", forMs: undefined, lift: false },
      { hold: "archiver", forMs: 5_400_000, lift: true },
    ]);
  });

  it("is taken back with Ctrl-C", async () => {
    const { dir, machines } = await open();
    machines.boot = ({ signal }) =>
      new Promise((_, fail) => signal.addEventListener("abort", () => fail(signal.reason)));
    await using program = startProgram(["start", "archiver", "--state-dir", dir]);
    await eventually("the start", () => machines.asked.length === 1);
    program.kill("SIGINT");
    await eventually("it to be taken back", () => machines.takenBack.length === 1);
  });

  it("ends with 1 when it fails, and with 2 when there is no such target", async () => {
    const { machines, run } = await open();
    machines.boot = () => Promise.reject(new Error("no capacity"));
    expect(await run("start", "archiver")).toMatchObject({ code: 1, stderr: "lazyssh: no capacity\n" });
    expect(await run("start", "x")).toMatchObject({ code: 2, stderr: 'lazyssh: there is no target "x"\n' });
  });

  it.each([
    ["5", /The unit is missing/],
    ["0s", /longer than nothing/],
    ["-1h", /negative/],
  ])("ends with 2 for --for=%s", async (time, why) => {
    const { machines, run } = await open();
    const { code, stderr } = await run("start", "archiver", `--for=${time}`);
    expect(code).toBe(2);
    expect(stderr).toMatch(why);
    expect(machines.asked).toEqual([]);
  });
});

describe("lazyssh stop", () => {
  it("tells what is being stopped", async () => {
    const { machines, run } = await open();
    machines.dropped = { machines: ["i-1"], kept: [] };
    expect(await run("stop", "archiver")).toMatchObject({
      code: 0,
      stdout: "archiver: i-1 is being stopped\n",
      stderr: "",
    });
    machines.dropped = { machines: [], kept: [] };
    expect((await run("stop", "archiver", "--cut")).stdout).toBe("archiver has no machine\n");
    expect(machines.asked).toEqual([
      { drop: "archiver", cut: false },
      { drop: "archiver", cut: true },
    ]);
  });

  it("names the connections that keep the machine, and ends with 1", async () => {
    const since = Date.now() - 12 * minute;
    const { machines, run } = await open();
    const lease = {
      kind: "channel",
      user: undefined,
      client: "192.0.2.7:50123",
      connection: "c1",
      since,
    } as const;
    machines.dropped = {
      machines: [],
      kept: [
        { ...lease, status: "held" },
        { ...lease, user: "alice", client: "192.0.2.8:1", status: "waiting" },
      ],
    };
    expect(await run("stop", "archiver")).toMatchObject({
      code: 1,
      stdout: "",
      stderr:
        "lazyssh: archiver goes on, because connections need it:\n" +
        `  192.0.2.7:50123 uses it since ${new Date(since).toISOString()} (12m ago)\n` +
        `  alice from 192.0.2.8:1 waits for it since ${new Date(since).toISOString()} (12m ago)\n` +
        "End them, too, with: lazyssh stop archiver --cut\n",
    });
  });
});
