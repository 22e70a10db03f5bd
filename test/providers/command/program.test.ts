import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test as inTurn } from "vitest";
import { type JumpHost, startJumpHost } from "../../harness/jump-host.ts";
import { type Program, runProgram, startProgram } from "../../harness/program.ts";
import { type Running, type SshResult, ssh, startSsh } from "../../harness/ssh.ts";
import { freePort } from "../../harness/tcp.ts";
import { eventually } from "../../harness/world.ts";
import { endMachines, MACHINE, pidsIn, runsNow } from "./fixture.ts";

/** They wait more than they work. */
const test = inTurn.concurrent;

interface Scene extends AsyncDisposable {
  readonly jump: JumpHost;
  /** Runs a command on the machine, through the jump host. */
  on(command: string): Promise<SshResult>;
  wait(): Promise<Running>;
  /** Pids of all machines there were. */
  pids(): number[];
  allGone(): Promise<void>;
  /** The same server again. */
  restart(): Promise<Program>;
}

/** A jump host with the target `machine`, in the foreground unless `more` says otherwise. */
async function scene(more = "", start?: (at: { port: number; folder: string }) => string): Promise<Scene> {
  const port = await freePort();
  let folder = "";
  let current: Program | undefined;
  const words = (...list: string[]): string => JSON.stringify(list);
  const jump = await startJumpHost({
    prepare: async ({ path }) => {
      folder = path;
    },
    get more() {
      return `target "machine" "command" {
  start      = ${start?.({ port, folder }) ?? words(process.execPath, MACHINE, String(port), folder)}
  to         = "127.0.0.1"
  port_map   = { "22" = ${port} }
  working_directory = ${JSON.stringify(folder)}
  ${more.includes("foreground") ? "" : "foreground = true"}
  ${more}
}`;
    },
  });
  let front = jump.port;
  const client = async (command: string): Promise<string[]> => {
    const { folder: files, clientKey, hostKey } = jump;
    await files.known("127.0.0.1", front, hostKey);
    await files.known("machine", 22, hostKey);
    const config = await files.config({
      jump: { HostName: "127.0.0.1", Port: front, User: "jump", IdentityFile: clientKey.path },
      machine: { ProxyJump: "jump", User: "root", IdentityFile: clientKey.path },
    });
    return ["-F", config, "machine", command];
  };
  const pids = () => pidsIn(folder);
  return {
    jump,
    on: async (command) => ssh(await client(command)),
    async wait() {
      const running = startSsh(await client("wait"));
      await eventually("the machine's answer", () => running.child.exitCode !== null || pids().length > 0);
      return running;
    },
    pids,
    allGone: () =>
      eventually("the end of every machine", () => pids().every((pid) => !runsNow(pid))).then(() => {}),
    async restart() {
      const { configFile, stateDir } = jump;
      current = startProgram(["-c", configFile, "--state-dir", stateDir, "--log-format", "json"]);
      front = Number((await current.logged("listening")).port);
      return current;
    },
    async [Symbol.asyncDispose]() {
      await current?.[Symbol.asyncDispose]();
      endMachines(folder);
      await jump[Symbol.asyncDispose]();
    },
  };
}

test("a machine boots when somebody connects, is shared, dies, is replaced, and ends when nobody is there", async () => {
  await using world = await scene();
  expect(world.pids()).toEqual([]);
  const waiting = await world.wait();
  const [first] = world.pids();
  expect(await world.on("hello")).toMatchObject({ code: 0, stdout: Buffer.from(`hello by ${first}\n`) });
  await world.on("die");
  expect((await waiting.result).code).not.toBe(0);
  const { stdout } = await world.on("again");
  const [, second] = world.pids();
  expect(String(stdout)).toBe(`again by ${second}\n`);
  await world.allGone();
  expect(world.pids()).toHaveLength(2);
  await world.jump.program.logged("machine.state", ({ to }) => to === "absent");
  expect((await world.jump.program.stop()).code).toBe(0);
});

test("after kill -9 of the server its machine is taken over with its users, and ended when nobody comes", async () => {
  await using world = await scene();
  const waiting = await world.wait();
  const [pid = 0] = world.pids();
  const other = startProgram(["-c", world.jump.configFile, "--state-dir", world.jump.stateDir]);
  expect((await other.ended).stderr).toContain("another lazyssh uses the state directory");
  world.jump.program.kill("SIGKILL");
  await waiting.result;
  await world.jump.program.ended;
  expect(runsNow(pid)).toBe(true);
  const next = await world.restart();
  expect(String((await world.on("hello")).stdout)).toBe(`hello by ${pid}\n`);
  await world.allGone();
  await next.logged("machine.state", ({ to }) => to === "absent");
  expect(world.pids()).toEqual([pid]);
  expect((await next.stop()).code).toBe(0);
});

test("after kill -9 of the server a sweep ends what it has left running", async () => {
  await using world = await scene();
  const waiting = await world.wait();
  world.jump.program.kill("SIGKILL");
  await waiting.result;
  await world.jump.program.ended;
  const { configFile, stateDir } = world.jump;
  const { code, stdout } = await runProgram(["sweep", "-c", configFile, "--state-dir", stateDir]);
  expect(stdout).toMatch(/^(cmd-\w+), target machine, running\n\1 is gone\n$/);
  expect(code).toBe(0);
  await world.allGone();
  expect(world.pids()).toHaveLength(1);
});

test("a start that fails is told to who waits, with the last words of the command", async () => {
  await using world = await scene("", () => JSON.stringify(["sh", "-c", "echo no disk; exit 4"]));
  const { code, stderr } = await world.on("hello");
  expect(code).toBe(255);
  expect(stderr).toContain("machine: start has failed, exit code 4: no disk");
});

test("a machine that never answers is given up after boot_timeout, and ended", async () => {
  await using world = await scene('boot_timeout = "8s"\n environment = { MACHINE = "silent" }');
  const { code, stderr } = await world.on("hello");
  expect(code).toBe(255);
  expect(stderr).toContain("it was not ready within 8 s");
  await world.allGone();
  expect(world.pids()).toHaveLength(1);
});

test("a port that is not mapped is none of the machine's", async () => {
  await using world = await scene();
  const { folder, clientKey, port, hostKey } = world.jump;
  await folder.known("127.0.0.1", port, hostKey);
  const config = await folder.config({
    jump: { HostName: "127.0.0.1", Port: port, User: "jump", IdentityFile: clientKey.path },
  });
  const { stderr } = await ssh(["-F", config, "-W", `machine:${port}`, "jump"]);
  expect(stderr).toContain("administratively prohibited");
  expect(world.pids()).toEqual([]);
});

test("a machine that is started and asked for lives as one in the foreground does, also over kill -9", async () => {
  const more = `foreground = false
  status = ["sh", "-c", "kill -0 $(cat pid) 2>/dev/null || exit 3"]
  stop   = ["sh", "-c", "kill $(cat pid)"]`;
  await using world = await scene(more, ({ port, folder }) =>
    JSON.stringify(["sh", "-c", `"${process.execPath}" "${MACHINE}" ${port} "${folder}" & echo $! >pid`]),
  );
  const waiting = await world.wait();
  world.jump.program.kill("SIGKILL");
  await waiting.result;
  const [pid] = world.pids();
  const next = await world.restart();
  expect(String((await world.on("hello")).stdout)).toBe(`hello by ${pid}\n`);
  await world.allGone();
  expect(world.pids()).toEqual([pid]);
  expect((await next.stop()).code).toBe(0);
});

test("a stop that fails is told with what to do by hand, and tried again until the machine is gone", async () => {
  const line = "[ -e works ] || { echo not today; exit 1; }; kill $(sed -n 's/boot //p' machine.log)";
  await using world = await scene(`stop = ${JSON.stringify(["sh", "-c", line])}`);
  expect((await world.on("hello")).code).toBe(0);
  const told = await world.jump.program.logged("machine.leak_suspected");
  expect(told).toMatchObject({
    target: "machine",
    reason: "stop of machine has failed, exit code 1: not today",
  });
  expect(told.remedy).toContain("kill $(sed");
  expect(world.pids().map(runsNow)).toEqual([true]);
  await writeFile(join(world.jump.folder.path, "works"), "");
  // A second try in vain is followed by ten seconds.
  await world.allGone();
  await world.jump.program.logged("machine.state", ({ to }) => to === "absent");
}, 60_000);
