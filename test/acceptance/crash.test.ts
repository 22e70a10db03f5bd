import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { Provider } from "../../src/providers/index.ts";
import type { MachineState } from "../../src/targets/life/state.ts";
import { mostAttached, mostRunning, stillRunning } from "../harness/invariants.ts";
import { type Program, startProgram } from "../harness/program.ts";
import { type Client, type Scene, startScene } from "../harness/scene.ts";
import { eventually } from "../harness/world.ts";

/** Where a server ends itself with SIGKILL; see test/fixtures/crashing-server.mjs. */
interface Cut {
  readonly when: "before" | "after" | "enter";
  readonly effect: string;
  readonly answer?: string;
}

const CRASHING_SERVER = fileURLToPath(new URL("../fixtures/crashing-server.mjs", import.meta.url));

/** So slow that a poll sees each state on the way, also on a busy machine. */
const DELAYS = { pendingMs: 800, bootMs: 300, attachMs: 600, shutdownMs: 800, detachMs: 600 };
/** Longer than the pause between two looks at a machine in use. */
const STAY_S = 5.6;
const LINGER = '"500ms"';

/** Every verb of a provider, and whether it belongs to a life in which nothing fails. */
const VERBS: Readonly<
  Record<Exclude<keyof Provider, "type" | "summary" | "hasVolumes" | "alternatives" | "remedy">, boolean>
> = {
  list: true,
  volumesFree: true,
  create: true,
  annotate: true,
  describe: true,
  attach: true,
  rest: true,
  destroy: true,
  find: false, // of an order whose answer was lost
  start: false, // of a machine that rests
  volumes: false, // for people
  preflight: false,
};

/** Every state, and whether it belongs to such a life. */
const STATES: Readonly<Record<MachineState["kind"], boolean>> = {
  absent: true,
  preparing: true,
  launching: true,
  booting: true,
  attaching: true,
  probing: true,
  ready: true,
  lingering: true,
  stopping: true,
  failed: false,
};

const namesOf = (of: Readonly<Record<string, boolean>>) => Object.keys(of).filter((name) => of[name]);
const nameOf = ({ when, effect, answer }: Cut) =>
  answer === undefined ? `${when} ${effect}` : `${when} ${effect}: ${answer}`;
const stateOf = ({ effect }: Cut) => effect.split(":")[0] ?? "";
const verbOf = ({ effect }: Cut) => effect.replace(/^\w+: /, "").replace(/ \d+$/, "");

function crashingServer(configFile: string, stateDir: string, cut?: Cut): Program {
  const env = cut && { CUT: JSON.stringify(cut) };
  return startProgram([configFile, stateDir], { program: CRASHING_SERVER, ...(env && { env }) });
}

/**
 * What the server went through, each once. Polls change nothing, so that one with the same answer as before is the same boundary: the
 * first is "before", and the last one is "after" the answer that ends them. Nor is the beginning of a state one where an effect begins it.
 */
async function boundaries(server: Program): Promise<Cut[]> {
  const { code, stdout } = await server.stop();
  expect(code).toBe(0);
  const all = [...new Set(stdout.trim().split("\n"))].map((line) => JSON.parse(line) as Cut);
  const busy = new Set(all.filter(({ when }) => when !== "enter").map(stateOf));
  return all.filter(({ when, effect }) => when !== "enter" || !busy.has(effect));
}

/** Whether the server has ended itself at its cut. A life that is over without it had an answer that no poll happened to see. */
async function cutOff(server: Program): Promise<boolean> {
  const over = () => server.log.some(({ msg, to }) => msg === "machine.state" && to === "absent");
  const dead = () => server.process.signalCode !== null;
  await eventually("the server to come to its cut", () => dead() || over(), 60_000);
  if (dead()) expect((await server.ended).signal).toBe("SIGKILL");
  return dead();
}

/** The address of a server, or undefined when it was cut off before it had one. */
async function listening(server: Program): Promise<{ listenHost: string; listenPort: number } | undefined> {
  try {
    const { host, port } = await server.logged("listening");
    return { listenHost: String(host), listenPort: Number(port) };
  } catch (error) {
    if (server.process.signalCode === "SIGKILL") return undefined;
    throw error;
  }
}

/** A scene whose volume has a file on it from before. */
async function sceneWith(cut: Cut | undefined) {
  const scene = await startScene({
    target: { linger: LINGER },
    world: { delays: DELAYS },
    first: (configFile, stateDir) => crashingServer(configFile, stateDir, cut),
  });
  const old = randomBytes(64 * 1024);
  writeFileSync(join(scene.world.volumeFolder, "old"), old);
  return { scene, old };
}

/** Somebody connects, writes a file and leaves. */
function writeFile(scene: Scene, content: Buffer, stayS: number): { client: Client; written: () => boolean } {
  let said = "";
  const client = scene.start("ssh", [
    ...["-F", scene.sshConfig, "-o", "BatchMode=yes", "archiver"],
    `cat > ~/volume/new && sync ~/volume/new && echo written && sleep ${stayS}`,
  ]);
  client.process.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  client.process.stdin.end(content);
  return { client, written: () => said === "written\n" };
}

const launches = (stateDir: string): string[] =>
  existsSync(join(stateDir, "launches")) ? readdirSync(join(stateDir, "launches")) : [];

/** Nothing runs, nothing is written down any more, and at no moment was there more than there may be. */
async function allIsWell({ world, stateDir, quiet }: Scene): Promise<void> {
  await quiet(90_000);
  await eventually("the journal to be empty", () => launches(stateDir).length === 0, 90_000);
  const { events } = world.state();
  expect(stillRunning(events)).toEqual([]);
  expect(mostRunning(events, "archiver")).toBeLessThanOrEqual(1);
  expect(mostAttached(events, world.volumeId)).toBeLessThanOrEqual(1);
}

interface Crashed extends AsyncDisposable {
  readonly scene: Scene;
  /** What has to be on the volume, by file. */
  readonly files: ReadonlyMap<string, Buffer>;
}

/** A life that is cut off, in a world of its own. */
async function crash(cut: Cut, attempts = 3): Promise<Crashed> {
  const { scene, old } = await sceneWith(cut);
  const fresh = randomBytes(64 * 1024);
  let isCut = false;
  try {
    const { client, written } = writeFile(scene, fresh, stateOf(cut) === "ready" ? STAY_S : 0);
    isCut = await cutOff(scene.jump);
    await client.ended;
    const files = new Map([["old", old]]);
    if (written()) files.set("new", fresh);
    if (isCut) return { scene, files, [Symbol.asyncDispose]: () => scene[Symbol.asyncDispose]() };
  } finally {
    if (!isCut) await scene[Symbol.asyncDispose]();
  }
  if (attempts > 1) return crash(cut, attempts - 1);
  throw new Error(`it never came to ${nameOf(cut)}`);
}

/** After the last server was started: somebody comes back, where it is said so, and in the end nothing is left and nothing lost. */
async function endsWell({ scene, files }: Crashed, { comesBack }: { comesBack: boolean }): Promise<void> {
  if (comesBack) {
    const names = [...files.keys()].map((name) => `~/volume/${name}`);
    const { code, stdout, stderr } = await scene.ssh(`cat ${names.join(" ")}`);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout.equals(Buffer.concat([...files.values()]))).toBe(true);
  }
  await allIsWell(scene);
  expect((await scene.jump.stop()).code).toBe(0);
  for (const [name, content] of files) {
    expect(readFileSync(join(scene.world.volumeFolder, name)).equals(content)).toBe(true);
  }
}

/** A life in which nothing goes wrong: where it can be cut off. */
async function wholeLife(): Promise<Cut[]> {
  const { scene, old } = await sceneWith(undefined);
  await using s = scene;
  const fresh = randomBytes(64 * 1024);
  const { client } = writeFile(s, fresh, STAY_S);
  expect((await client.ended).code).toBe(0);
  await allIsWell(s);
  expect(readFileSync(join(s.world.volumeFolder, "new")).equals(fresh)).toBe(true);
  expect(readFileSync(join(s.world.volumeFolder, "old")).equals(old)).toBe(true);
  return await boundaries(s.jump);
}

interface Together extends AsyncDisposable {
  /** The world, and the first server of the group, which a client uses all the time. */
  readonly scene: Scene;
  /** Writes to that client's machine, and fails unless it answers. */
  check(word: string): Promise<void>;
  /** That client leaves. */
  leave(): Promise<void>;
  /** Starts the second server. If it gets so far, a client of its own comes and leaves. */
  second(cut?: Cut): Promise<Program>;
  /** Of the second server. */
  readonly stateDir: string;
}

/** Two servers of a group, as two laptops are. */
async function together(): Promise<Together> {
  const server = { group: '"home"' };
  const s = await startScene({ server, target: { linger: LINGER }, world: { delays: DELAYS } });
  const seconds: Program[] = [];
  const { process: stays, ended } = s.start("ssh", ["-F", s.sshConfig, "archiver", "cat"]);
  let said = "";
  stays.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const stateDir = join(s.world.dir, "state-of-second");
  const sshConfig = join(s.world.dir, "ssh_config-of-second");
  const template = readFileSync(s.sshConfig, "utf8").replaceAll(s.sshConfig, sshConfig);
  const check = async (word: string): Promise<void> => {
    stays.stdin.write(`${word}\n`);
    await eventually(`the answer to ${word}`, () => said.endsWith(`${word}\n`), 30_000);
  };
  await check("served");
  return {
    scene: s,
    stateDir,
    check,
    async leave() {
      stays.stdin.end();
      expect((await ended).code).toBe(0);
    },
    async second(cut) {
      const program = crashingServer(s.configFile, stateDir, cut);
      seconds.push(program);
      const address = await listening(program);
      if (address) {
        writeFileSync(sshConfig, template.replace(/^ {2}Port \d+/m, `  Port ${address.listenPort}`));
        const client = s.start("ssh", ["-F", sshConfig, "-o", "BatchMode=yes", "archiver", "echo here"]);
        const { stdout } = await client.ended;
        if (!cut) expect(stdout.toString()).toBe("here\n");
      }
      return program;
    },
    async [Symbol.asyncDispose]() {
      for (const program of seconds) await program[Symbol.asyncDispose]();
      await s[Symbol.asyncDispose]();
    },
  };
}

/** Where a server can be cut off while it takes a share in another's machine, and while it gives it back. */
async function lifeTogether(): Promise<Cut[]> {
  await using t = await together();
  const server = await t.second();
  await server.logged("machine.left_to_others");
  await eventually("the journal to be empty", () => launches(t.stateDir).length === 0);
  const cuts = await boundaries(server);
  return cuts.filter(
    (cut) =>
      ["booting", "stopping"].includes(stateOf(cut)) &&
      ["annotate", "describe", "list"].includes(verbOf(cut)),
  );
}

const [cuts, cutsTogether] = await Promise.all([wholeLife(), lifeTogether()]);

function named(wanted: string): Cut {
  const found = cuts.find((cut) => nameOf(cut) === wanted);
  if (!found) throw new Error(`there is no ${wanted} among ${cuts.map(nameOf).join(", ")}`);
  return found;
}

// The long ones first: all run side by side, as many as vitest.config.ts allows.
describe.concurrent("SIGKILL of one of two servers of a group, again and again, while a client of the other is on the machine", () => {
  it("has the effects of taking a share and of giving it back to be cut off at", () => {
    const effects = cutsTogether.map(({ effect }) => effect);
    for (const verb of ["annotate", "describe", "list"]) expect(effects).toContain(`booting: ${verb}`);
    for (const verb of ["annotate", "describe", "annotate 2"]) expect(effects).toContain(`stopping: ${verb}`);
  });

  const some = 3;
  const chains = Array.from({ length: Math.ceil(cutsTogether.length / some) }, (_, index) =>
    cutsTogether.slice(index * some, (index + 1) * some),
  );
  it.each(chains.map((chain): [string, Cut[]] => [chain.map(nameOf).join(", "), chain]))(
    "%s: that client does not notice, one machine serves both, and nothing is left",
    async (_, chain) => {
      await using t = await together();
      const { scene: s, stateDir } = t;
      // Each server that is started after a crash is the next one to crash.
      for (const cut of chain) {
        const server = await t.second(cut);
        expect(await cutOff(server), nameOf(cut)).toBe(true);
        await t.check(`after ${nameOf(cut)}`);
      }
      const last = await t.second();
      await t.leave();
      await allIsWell(s);
      await eventually("the second journal to be empty", () => launches(stateDir).length === 0, 60_000);
      expect(s.calls("RunInstances")).toBe(1);
      expect((await last.stop()).code).toBe(0);
      expect((await s.jump.stop()).code).toBe(0);
    },
    180_000,
  );
});

describe.concurrent("SIGKILL of the server at every effect of a machine's life", () => {
  it("has every verb and every state to be cut off at", () => {
    const verbs = cuts.map(verbOf);
    for (const verb of [...namesOf(VERBS), "journal write", "journal forget"]) expect(verbs).toContain(verb);
    const states = cuts.map(stateOf);
    for (const state of namesOf(STATES)) expect(states).toContain(state);
  });

  const first = named("after launching: create: pending");
  it.each([
    "before absent: list",
    "after booting: describe: running",
    "after attaching: attach: done",
    "after stopping: destroy",
  ])(
    `${nameOf(first)}, and of the next server %s: who comes to the third finds the files`,
    async (second) => {
      await using crashed = await crash(first);
      const { scene: s } = crashed;
      await using next = crashingServer(s.configFile, s.stateDir, named(second));
      const address = await listening(next);
      if (address) {
        await s.world.writeClientFiles(address);
        await s.ssh("true");
      }
      expect(await cutOff(next)).toBe(true);
      await s.restart();
      await endsWell(crashed, { comesBack: true });
    },
    180_000,
  );

  // Between "after" one effect and "before" the next nothing happens, so that each of these moments has one of each.
  it.each(
    cuts.map((cut, index): [string, string, Cut, boolean] => {
      const comesBack = index % 2 === 0;
      return [
        nameOf(cut),
        comesBack ? "who comes back finds the files" : "nobody comes back",
        cut,
        comesBack,
      ];
    }),
  )(
    "%s: %s, and nothing is left",
    async (_name, _who, cut, comesBack) => {
      await using crashed = await crash(cut);
      await crashed.scene.restart();
      await endsWell(crashed, { comesBack });
    },
    180_000,
  );
});
