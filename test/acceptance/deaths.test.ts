import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { mostAttached, mostRunning } from "../harness/invariants.ts";
import type { LogLine } from "../harness/program.ts";
import { type Scene, type SceneOptions, startScene } from "../harness/scene.ts";
import { eventually } from "../harness/world.ts";

/** What is promised: a death is noticed in this time. */
const NOTICED_MS = 15_000;
/** How long it is waited for that, so that one that is late is told from one that never comes. */
const PATIENCE_MS = 30_000;
const TIMEOUT_MS = 120_000;

interface Death {
  readonly what: string;
  readonly target?: SceneOptions;
  /** What the world is told to do to the machine. */
  readonly control: string;
  readonly body?: unknown;
  /** The log line that says so, and its reason. */
  readonly msg: string;
  readonly reason: RegExp;
  /** What ends the connection that was there, as the log says. */
  readonly cut: RegExp;
}

const spot = { blocks: "  spot {}" };
const hangs = /runs, but does not answer any more: .*:2222 (has not answered|accepts, and has not sent)/;
const isClosed = /runs, but does not answer any more: .*:2222 refuses connections/;

const deaths: readonly Death[] = [
  {
    what: "a spot notice",
    target: spot,
    control: "spot-notice",
    msg: "machine.notice",
    reason: /EC2 takes the spot machine back .*marked-for-termination/,
    cut: /the cloud will take machine i-\w+ away: EC2 takes the spot machine back/,
  },
  {
    what: "a spot notice for want of capacity",
    target: spot,
    control: "spot-notice",
    body: { code: "instance-terminated-no-capacity" },
    msg: "machine.notice",
    reason: /EC2 has taken the spot machine back for others .*instance-terminated-no-capacity/,
    cut: /the cloud will take machine i-\w+ away: EC2 has taken the spot machine back for others/,
  },
  {
    what: "a termination from outside",
    control: "terminate",
    msg: "machine.failed",
    reason: /machine i-\w+ (is being stopped|was terminated): .*User initiated shutdown/,
    cut: /./,
  },
  {
    what: "a machine that hangs",
    control: "freeze",
    msg: "machine.unfit",
    reason: hangs,
    cut: hangs,
  },
  {
    what: "a port that closes",
    control: "close-port",
    msg: "machine.unfit",
    reason: isClosed,
    cut: isClosed,
  },
];

const named = deaths.map((death) => [death.what, death] as const);

const timeOf = (line: LogLine) => Date.parse(String(line.time));
const idOf = (s: Scene) => s.running()[0]?.id ?? "";
const clientOf = async (s: Scene) => String((await s.jump.logged("connection.open")).client);

/** Has it happen, and answers the log line that says so, which comes in the time that is promised. */
async function noticed(s: Scene, death: Death): Promise<LogLine> {
  const machine = idOf(s);
  const at = Date.now();
  await s.befall(`${death.control}/${machine}`, death.body);
  const line = await s.jump.logged(death.msg, (line) => line.machine === machine, PATIENCE_MS);
  expect(timeOf(line) - at).toBeLessThan(NOTICED_MS);
  expect(line.reason).toMatch(death.reason);
  return line;
}

/** The next client gets another machine, with the same volume, and at no time there were two. */
async function nextIsServed(s: Scene, former: string): Promise<void> {
  const { code, stdout, stderr } = await s.ssh("cat ~/volume/file");
  expect([code, stdout.toString(), stderr]).toEqual([0, "kept\n", ""]);
  const { events } = s.world.state();
  const launched = events.filter(({ type }) => type === "instance.launched").map(({ instance }) => instance);
  expect(launched).toHaveLength(2);
  expect(launched[0]).toBe(former);
  expect([mostRunning(events), mostAttached(events, s.world.volumeId)]).toEqual([1, 1]);
}

describe.concurrent("a machine in use", () => {
  it.each(named)(
    "%s is noticed, the client is told, and the next connect gets another machine",
    async (_, death) => {
      await using s = await startScene(death.target);
      const client = await s.session("echo kept > ~/volume/file; sleep 600");
      const [machine, address] = [idOf(s), await clientOf(s)];
      const line = await noticed(s, death);
      if (death.msg === "machine.notice") expect(line.clients).toEqual([address]);
      if (death.msg === "machine.failed") expect(line.code).toBe("MACHINE_DIED");
      await nextIsServed(s, machine);
      const cut = await s.jump.logged("channel.close");
      expect(cut.reason).toMatch(death.cut);
      expect((await client.ended).code).toBe(255);
      await s.quiet();
    },
    TIMEOUT_MS,
  );
});

describe.concurrent("a machine that lingers", () => {
  it.each(named)(
    "%s is noticed, and the next connect gets another machine",
    async (_, death) => {
      await using s = await startScene({ ...death.target, target: { linger: '"10m"' } });
      expect((await s.ssh("echo kept > ~/volume/file")).code).toBe(0);
      const machine = idOf(s);
      const line = await noticed(s, death);
      if (death.msg === "machine.notice") expect(line.clients).toEqual([]);
      // Nobody has it, so nobody has to be waited for.
      const isItsEnd = ({ to, machine: id }: LogLine) => to === "stopping" && id === machine;
      await s.jump.logged("machine.state", isItsEnd, 3_000);
      await nextIsServed(s, machine);
    },
    TIMEOUT_MS,
  );
});

describe.concurrent("a machine that does not answer any more, but is in use", () => {
  /** A client that talks whenever the one file is there, and leaves when the other is. */
  const talking = "until [ -e ~/volume/over ]; do [ -e ~/volume/talk ] && echo word; sleep 0.1; done";
  const tell = (s: Scene, file: string) => writeFileSync(join(s.world.volumeFolder, file), "");
  const isUnfit = (s: Scene) => s.jump.logged("machine.unfit", undefined, PATIENCE_MS);
  /** How long a machine must be silent before it is taken from who uses it, and some more. */
  const LONG_MS = 16_000;

  it(
    "is left to them as long as bytes move, however long others wait, and those are served after that",
    async () => {
      await using s = await startScene();
      const client = await s.session(talking);
      const machine = idOf(s);
      await s.befall(`close-port/${machine}`);
      await isUnfit(s);
      tell(s, "talk");
      const since = Date.now();
      let served = false;
      const next = s.ssh("pwd").finally(() => {
        served = true;
      });
      await eventually("a long talk", () => Date.now() - since > LONG_MS, LONG_MS + 5_000);
      expect([client.process.exitCode, served, s.running().map(({ id }) => id)]).toEqual([
        null,
        false,
        [machine],
      ]);
      tell(s, "over");
      const { code, stdout } = await client.ended;
      expect(code).toBe(0);
      // It was not cut off in between either.
      expect(stdout.toString().split("word").length - 1).toBeGreaterThan(LONG_MS / 1_000);
      const { stdout: home, code: nextCode } = await next;
      expect(nextCode).toBe(0);
      expect(home.toString()).not.toContain(machine);
      expect(mostRunning(s.world.state().events)).toBe(1);
    },
    TIMEOUT_MS,
  );

  it(
    "takes new connections again when its port is opened, and who waits is let in to it",
    async () => {
      await using s = await startScene();
      const client = await s.session(talking);
      const machine = idOf(s);
      await s.befall(`close-port/${machine}`);
      await isUnfit(s);
      tell(s, "talk");
      const next = s.ssh("pwd");
      const logins = () => s.jump.log.filter(({ msg }) => msg === "connection.auth").length;
      await eventually("the second login", () => logins() === 2);
      await s.befall(`open-port/${machine}`);
      expect(await s.jump.logged("machine.fit")).toMatchObject({ machine, level: "info" });
      const { code, stdout } = await next;
      expect([code, stdout.toString()]).toEqual([0, expect.stringContaining(machine)]);
      tell(s, "over");
      expect((await client.ended).code).toBe(0);
      expect(s.calls("RunInstances")).toBe(1);
      await s.quiet();
    },
    TIMEOUT_MS,
  );

  it(
    "takes new connections again when it does not hang any more, and the old ones have lost nothing",
    async () => {
      await using s = await startScene();
      const client = await s.session("cat");
      const machine = idOf(s);
      await s.befall(`freeze/${machine}`);
      await isUnfit(s);
      const next = s.ssh("pwd");
      let said = 0;
      const talk = (what: string, until: () => boolean) =>
        eventually(what, () => {
          client.process.stdin.write(`${++said}\n`);
          return until();
        });
      const logged = (msg: string) => s.jump.log.filter((line) => line.msg === msg).length;
      await talk("the second login", () => logged("connection.auth") === 2);
      await s.befall(`thaw/${machine}`);
      await talk("the machine to be fit", () => logged("machine.fit") === 1);
      const { code, stdout } = await next;
      expect([code, stdout.toString()]).toEqual([0, expect.stringContaining(machine)]);
      client.process.stdin.end();
      const heard = (await client.ended).stdout.toString().trim().split("\n");
      expect(heard).toEqual(["up", ...Array.from({ length: said }, (_, n) => String(n + 1))]);
      expect(s.calls("RunInstances")).toBe(1);
    },
    TIMEOUT_MS,
  );
});
