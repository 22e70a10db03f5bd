import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { mostAttached, mostRunning } from "../harness/invariants.ts";
import { runProgram } from "../harness/program.ts";
import { type Client, type Scene, type Server, startScene } from "../harness/scene.ts";
import { eventually } from "../harness/world.ts";

const TIMEOUT_MS = 120_000;
/** Each start and each end takes some seconds more than alone: what a server says must have got to the others. */
const PATIENCE_MS = 30_000;

const group = { server: { group: '"home"' } };

/** Two servers of a group, in one world. */
async function two(): Promise<{ s: Scene; b: Server }> {
  const s = await startScene(group);
  return { s, b: await s.another("b") };
}

/** Clients through both servers, of which neither has a machine, at the same moment; they answer what is said to them. */
const clientsOf = (a: Server, b: Server): Promise<[Client, Client]> =>
  Promise.all([a.session("cat"), b.session("cat")]);

/** Whether the client still has its machine: what it is told comes back. */
async function answers(client: Client): Promise<void> {
  const word = `word ${Math.random()}`;
  let heard = "";
  client.process.stdout.on("data", (chunk: Buffer) => {
    heard += chunk.toString();
  });
  client.process.stdin.write(`${word}\n`);
  await eventually("the machine to answer", () => {
    expect(client.process.exitCode).toBeNull();
    return heard.includes(word);
  });
}

async function leaves(client: Client): Promise<void> {
  client.process.stdin.end();
  expect((await client.ended).code).toBe(0);
}

const ids = (s: Scene) => s.running().map(({ id }) => id);
const leftToOthers = (server: Server) => server.jump.logged("machine.left_to_others", undefined, PATIENCE_MS);

function neverTwo(s: Scene, launches: number): void {
  const { events } = s.world.state();
  expect(events.filter(({ type }) => type === "instance.launched")).toHaveLength(launches);
  expect([mostRunning(events), mostAttached(events, s.world.volumeId)]).toEqual([1, 1]);
}

const sweep = ({ configFile, stateDir }: Server, ...more: string[]) =>
  runProgram(["sweep", "-c", configFile, "--state-dir", stateDir, ...more]);

describe.concurrent("two servers of a group", () => {
  it(
    "share one machine, and it is ended when the last client of both has left",
    async () => {
      const { s, b } = await two();
      await using _scene = s;
      const [ofA, ofB] = await clientsOf(s, b);
      const [machine = ""] = ids(s);
      neverTwo(s, 1);

      await leaves(ofA);
      expect(await leftToOthers(s)).toMatchObject({ target: "archiver", machine });
      await answers(ofB);
      expect(ids(s)).toEqual([machine]);
      // Who has left may come back to it.
      const back = await s.ssh("pwd");
      expect([back.code, back.stdout.toString()]).toEqual([0, expect.stringContaining(machine)]);

      await leaves(ofB);
      await s.quiet(PATIENCE_MS);
      neverTwo(s, 1);
      for (const { stateDir } of [s, b]) {
        await eventually("an empty journal", () => readdirSync(join(stateDir, "launches")).length === 0);
      }
    },
    TIMEOUT_MS,
  );

  it(
    "start one machine when clients come to both at the same moment, each time",
    async () => {
      const { s, b } = await two();
      await using _scene = s;
      for (let round = 1; round <= 3; round++) {
        const clients = await clientsOf(s, b);
        expect(ids(s)).toHaveLength(1);
        await Promise.all(clients.map(answers));
        neverTwo(s, round);
        await Promise.all(clients.map(leaves));
        await s.quiet(PATIENCE_MS);
      }
      neverTwo(s, 3);
    },
    TIMEOUT_MS,
  );

  it(
    "leave the machine to the other's client when one of them is told to end",
    async () => {
      const { s, b } = await two();
      await using _scene = s;
      const [ofA, ofB] = await clientsOf(s, b);
      const [machine] = ids(s);
      expect((await s.jump.stop()).code).toBe(0);
      expect((await ofA.ended).code).toBe(255);
      expect(await leftToOthers(s)).toMatchObject({ machine });
      await answers(ofB);
      expect(ids(s)).toEqual([machine]);
      expect((await b.jump.stop()).code).toBe(0);
      await ofB.ended;
      await s.quiet();
      neverTwo(s, 1);
    },
    TIMEOUT_MS,
  );

  it(
    "do not harm each other when one is killed; what it held is ended when it is back",
    async () => {
      const { s, b } = await two();
      await using _scene = s;
      const [ofA, ofB] = await clientsOf(s, b);
      const [machine] = ids(s);
      s.jump.kill("SIGKILL");
      await s.jump.ended;
      await ofA.ended;
      await answers(ofB);
      await leaves(ofB);
      // Nobody knows that A is dead: it has said for how long it needs the machine.
      expect(await leftToOthers(b)).toMatchObject({ machine });
      expect(ids(s)).toEqual([machine]);

      // It takes the machine over, gives its clients half a minute to come back, and ends it.
      await s.restart();
      await s.quiet(60_000);
      neverTwo(s, 1);
    },
    TIMEOUT_MS,
  );
});

describe.concurrent("lazyssh sweep of one server of a group", () => {
  it(
    "lists what the others use, and ends nothing of it",
    async () => {
      await using s = await startScene(group);
      const c = await s.another("c");
      const [ofA, ofC] = await clientsOf(s, c);
      const [machine] = ids(s);
      await c.jump.stop();
      await ofC.ended;
      for (const options of [["--dry-run"], []]) {
        const { code, stdout, stderr } = await sweep(c, ...options);
        expect([code, stdout]).toEqual([0, "nothing that this server has started is running\n"]);
        expect(stderr).toContain(
          `${machine}, target archiver, running: used by another server of the group, and left to it\n`,
        );
        await answers(ofA);
      }
      expect(ids(s)).toEqual([machine]);
    },
    TIMEOUT_MS,
  );

  it(
    "leaves to the others what it has used itself when it was killed",
    async () => {
      await using s = await startScene(group);
      const c = await s.another("c");
      const [ofA, ofC] = await clientsOf(s, c);
      const [machine] = ids(s);
      c.jump.kill("SIGKILL");
      await c.jump.ended;
      await ofC.ended;
      const { code, stdout } = await sweep(c);
      expect([code, stdout]).toEqual([
        0,
        `${machine}, target archiver, running\n${machine} is used by another server of the group, and left to it\n`,
      ]);
      await answers(ofA);
      await leaves(ofA);
      await s.quiet(PATIENCE_MS);
      neverTwo(s, 1);
    },
    TIMEOUT_MS,
  );
});
