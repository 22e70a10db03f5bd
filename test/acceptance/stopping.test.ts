import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { World } from "../../src/dev/index.ts";
import { mostRunning } from "../harness/invariants.ts";
import { LOGGED, runProgram } from "../harness/program.ts";
import { type Scene, startScene } from "../harness/scene.ts";
import { eventually } from "../harness/world.ts";

const TIMEOUT_MS = 90_000;

/** Milliseconds since the epoch, in the words of the guest's shell. */
const NOW = "date +%s%3N";

interface BeforeStop {
  readonly commands: readonly (readonly string[])[];
  readonly hostKey?: "archiverHost" | "jumpHost";
  readonly timeout?: string;
}

const beforeStop =
  ({ commands, hostKey = "archiverHost", timeout = "20s" }: BeforeStop) =>
  ({ keys }: World) =>
    `
  before_stop {
    commands    = ${JSON.stringify(commands)}
    private_key = <<EOF
${keys.user.private}
EOF
    host_key    = "${keys[hostKey].public}"
    timeout     = "${timeout}"
  }`;

const onVolume = (s: Scene, name: string) => join(s.world.volumeFolder, name);
const stateOf = (s: Scene) => s.running().map(({ state }) => state);

/** When each action was first called. */
function callTimes(s: Scene, ...actions: string[]): number[] {
  const { events } = s.world.state();
  return actions.map(
    (name) => events.find(({ type, action }) => type === "call" && action === name)?.at ?? Number.NaN,
  );
}

function inOrder(times: readonly number[]): void {
  expect(times).not.toContain(Number.NaN);
  expect(times).toEqual([...times].sort((a, b) => a - b));
}

const warnings = (s: Scene) =>
  s.jump.log.filter(({ msg }) => msg === "server.warning").map(({ reason }) => String(reason));

describe.concurrent("before_stop", () => {
  it(
    "is run on the machine, over SSH, before anything is done to it",
    async () => {
      const commands = [
        ["sh", "-c", `${NOW} > ~/volume/stamp`],
        ["sh", "-c", 'echo "it\'s $HOME, %d" > ~/volume/said'],
      ];
      await using s = await startScene({ blocks: beforeStop({ commands }) });
      const { stdout } = await s.ssh("printf %s $HOME");
      await s.quiet();
      expect(await s.jump.logged("machine.before_stop")).toMatchObject({ level: "info", target: "archiver" });
      const stamp = Number(readFileSync(onVolume(s, "stamp"), "utf8"));
      inOrder([stamp, ...callTimes(s, "StopInstances", "TerminateInstances")]);
      expect(readFileSync(onVolume(s, "said"), "utf8")).toBe(`it's ${stdout}, %d\n`);
      expect(warnings(s)).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    "is tried again while it fails, within its time",
    async () => {
      const commands = [["sh", "-c", "echo x >> ~/volume/tries; [ $(wc -l < ~/volume/tries) -ge 2 ]"]];
      await using s = await startScene({ blocks: beforeStop({ commands }) });
      expect((await s.ssh("true")).code).toBe(0);
      await s.quiet();
      await s.jump.logged("machine.before_stop");
      expect(readFileSync(onVolume(s, "tries"), "utf8")).toBe("x\nx\n");
    },
    TIMEOUT_MS,
  );

  it.each([
    [
      "a command that fails",
      { commands: [["sh", "-c", "echo pool is busy >&2; exit 3"]] },
      /ended with exit code 3: pool is busy/,
    ],
    ["a command that does not end", { commands: [["sleep", "600"]] }, /the command has not ended/],
    [
      "a host key that is another's",
      { commands: [["sh", "-c", "touch ~/volume/done"]], hostKey: "jumpHost" },
      /host.*verif/i,
    ],
  ] as const)(
    "does not keep a machine running, but is told of as an error: %s",
    async (_, what, why) => {
      await using s = await startScene({ blocks: beforeStop({ ...what, timeout: "8s" }) });
      expect((await s.ssh("true")).code).toBe(0);
      const [machine = ""] = s.running().map(({ id }) => id);
      const line = await s.jump.logged("machine.before_stop_failed");
      expect(line).toMatchObject({ level: "error", machine });
      expect(line.reason).toMatch(why);
      expect(line.reason).toMatch(/within 8 s.*the machine is shut down all the same$/);
      expect(line.remedy).toContain(machine);
      await s.quiet();
      inOrder([Date.parse(String(line.time)), ...callTimes(s, "StopInstances", "TerminateInstances")]);
      expect(existsSync(onVolume(s, "done"))).toBe(false);
    },
    TIMEOUT_MS,
  );
});

describe.concurrent("a machine with a volume", () => {
  it(
    "shuts down, and lets its programs end what they write, before it is terminated",
    async () => {
      await using s = await startScene({ world: { delays: { shutdownMs: 10_000 } } });
      const book = onVolume(s, "book");
      const closing = `sleep 1; echo closed >> ~/volume/book; ${NOW} >> ~/volume/book; exit`;
      const { code } = await s.ssh(
        `(trap "" HUP; trap "${closing}" TERM; echo open > ~/volume/book; while :; do sleep 0.1; done) ` +
          ">/dev/null 2>&1 & until [ -e ~/volume/book ]; do sleep 0.05; done",
      );
      expect(code).toBe(0);
      await s.quiet(40_000);
      const [open, closed, stamp] = readFileSync(book, "utf8").trim().split("\n");
      expect([open, closed]).toEqual(["open", "closed"]);
      const [stopping = 0, terminating = 0] = callTimes(s, "StopInstances", "TerminateInstances");
      inOrder([stopping, Number(stamp), terminating]);
    },
    TIMEOUT_MS,
  );

  it(
    "is terminated all the same where it may not be stopped, with a warning",
    async ({ expect }) => {
      await using s = await startScene();
      s.world.faults.set([{ action: "StopInstances", kind: "deny" }]);
      expect((await s.ssh("true")).code).toBe(0);
      await s.quiet();
      await expect
        .poll(() => warnings(s), LOGGED)
        .toEqual([expect.stringMatching(/cannot be shut down before it is terminated: .*ec2:StopInstances/)]);
      inOrder(callTimes(s, "StopInstances", "TerminateInstances"));
    },
    TIMEOUT_MS,
  );

  it(
    "of the spot market cannot rest, and is terminated without a word about it",
    async () => {
      await using s = await startScene({ blocks: "  spot {}" });
      expect((await s.ssh("echo kept > ~/volume/file")).code).toBe(0);
      await s.quiet();
      expect(warnings(s)).toEqual([]);
      const states = s.world.state().events.filter(({ type }) => type === "instance.state");
      expect(states.map(({ state }) => state)).toEqual(["pending", "running", "shutting-down", "terminated"]);
      expect(readFileSync(onVolume(s, "file"), "utf8")).toBe("kept\n");
    },
    TIMEOUT_MS,
  );
});

describe.concurrent('stop_mode = "stop"', () => {
  const rests = { target: { stop_mode: '"stop"' } };
  const untilItRests = (s: Scene) => eventually("the machine to rest", () => stateOf(s)[0] === "stopped");

  it(
    "keeps the machine, its disks and its volume, for the next connection and beyond the server's end",
    async () => {
      await using s = await startScene(rests);
      expect((await s.ssh("echo home > ~/file; echo volume > ~/volume/file")).code).toBe(0);
      await untilItRests(s);
      const [machine] = s.running().map(({ id }) => id);
      expect(s.volumeState()).toBe("in-use");

      expect((await s.ssh("cat ~/file ~/volume/file")).stdout.toString()).toBe("home\nvolume\n");
      expect(s.running().map(({ id }) => id)).toEqual([machine]);
      await untilItRests(s);
      await s.session(); // one that is cut off, now
      expect((await s.jump.stop()).code).toBe(0);
      expect(stateOf(s)).toEqual(["stopped"]);

      const sweep = await runProgram(["sweep", "-c", s.configFile, "--state-dir", s.stateDir]);
      expect([sweep.code, sweep.stdout]).toEqual([0, "nothing that this server has started is running\n"]);
      expect(stateOf(s)).toEqual(["stopped"]);

      await s.restart();
      expect((await s.ssh("cat ~/file")).stdout.toString()).toBe("home\n");
      await untilItRests(s);
      const calls = ["RunInstances", "StartInstances", "TerminateInstances"].map((action) => s.calls(action));
      expect(calls).toEqual([1, 3, 0]);
      expect(mostRunning(s.world.state().events)).toBe(1);
    },
    TIMEOUT_MS,
  );

  it(
    "is over for a machine that rests when the config does not say so any more",
    async () => {
      await using s = await startScene(rests);
      expect((await s.ssh("echo kept > ~/volume/file")).code).toBe(0);
      await untilItRests(s);
      expect((await s.jump.stop()).code).toBe(0);
      writeFileSync(s.configFile, readFileSync(s.configFile, "utf8").replace('stop_mode = "stop"', ""));
      await s.restart();
      await s.quiet();
      expect(readFileSync(onVolume(s, "file"), "utf8")).toBe("kept\n");
    },
    TIMEOUT_MS,
  );

  it(
    "does not keep a machine whose start has failed: the first,",
    async () => {
      await using s = await startScene({ target: { ...rests.target, boot_timeout: '"8s"' } });
      s.world.faults.set([{ action: "RunInstances", kind: "never-opens", times: 1 }]);
      expect((await s.ssh("true")).stderr).toMatch(/not ready within 8 s/);
      await s.quiet();
      expect((await s.ssh("echo works")).stdout.toString()).toBe("works\n");
      await untilItRests(s);
    },
    TIMEOUT_MS,
  );

  it(
    "or a later one, because it does not answer",
    async () => {
      await using s = await startScene({ target: { ...rests.target, boot_timeout: '"8s"' } });
      expect((await s.ssh("echo kept > ~/volume/file")).code).toBe(0);
      await untilItRests(s);
      s.world.setDelays({ bootMs: 60_000 });
      expect((await s.ssh("true")).stderr).toMatch(/within 8 s.*refuses connections/);
      await s.quiet();
      s.world.setDelays({ bootMs: 100 });
      expect((await s.ssh("cat ~/volume/file")).stdout.toString()).toBe("kept\n");
    },
    TIMEOUT_MS,
  );

  it(
    "or because the cloud refuses to start it",
    async () => {
      await using s = await startScene(rests);
      expect((await s.ssh("true")).code).toBe(0);
      await untilItRests(s);
      const code = "UnsupportedOperation";
      s.world.faults.set([{ action: "StartInstances", kind: "error", code, message: "not this one" }]);
      expect((await s.ssh("true")).stderr).toMatch(/StartInstances.*not this one/);
      await s.quiet();
      expect((await s.ssh("echo works")).stdout.toString()).toBe("works\n");
    },
    TIMEOUT_MS,
  );

  it(
    "but keeps one that there is no capacity for now, with its disks",
    async () => {
      await using s = await startScene(rests);
      expect((await s.ssh("echo kept > file; sync")).code).toBe(0);
      await untilItRests(s);
      const code = "InsufficientInstanceCapacity";
      s.world.faults.set([{ action: "StartInstances", kind: "error", code, message: "none left" }]);
      expect((await s.ssh("true")).stderr).toMatch(/StartInstances.*none left/);
      await untilItRests(s);
      s.world.faults.set([]);
      expect((await s.ssh("cat file")).stdout.toString()).toBe("kept\n");
      expect(s.calls("RunInstances")).toBe(1);
    },
    TIMEOUT_MS,
  );

  it(
    "ends the machine where it may not be stopped: it would cost money for ever",
    async ({ expect }) => {
      await using s = await startScene(rests);
      s.world.faults.set([{ action: "StopInstances", kind: "deny" }]);
      expect((await s.ssh("true")).code).toBe(0);
      await s.quiet();
      await expect.poll(() => warnings(s), LOGGED).toEqual([expect.stringMatching(/ec2:StopInstances/)]);
    },
    TIMEOUT_MS,
  );
});
