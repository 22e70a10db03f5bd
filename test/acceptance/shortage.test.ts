import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MSG, message } from "../../src/server/protocol.ts";
import { systemClock } from "../../src/util/clock.ts";
import { type JumpHost, startJumpHost } from "../harness/jump-host.ts";
import { directTcpip, type RawClient, rawClient } from "../harness/raw-client.ts";
import { requires } from "../harness/requires.ts";
import { resourcesOf } from "../harness/resources.ts";
import { ssh } from "../harness/ssh.ts";
import { echo, type TcpTarget, tcpTarget } from "../harness/tcp.ts";
import { eventually } from "../harness/world.ts";

const FILES = 128;

let jump: JumpHost;
let target: TcpTarget;
const silent = new Set<Socket>();

beforeEach(async () => {
  jump = await startJumpHost({
    by: ["sh", "-c", `ulimit -n ${FILES}; exec "$0" "$@"`],
  });
  target = await tcpTarget(echo);
}, 60_000);
afterEach(async () => {
  for (const socket of silent) socket.destroy();
  silent.clear();
  await jump[Symbol.asyncDispose]();
  await target[Symbol.asyncDispose]();
});

const loggedIn = async (): Promise<RawClient> => {
  const client = await rawClient(jump.port);
  await client.login(jump.clientKey);
  return client;
};

/** Says something through a channel, and waits until it comes back. */
const talk = async (client: RawClient, id: number): Promise<void> => {
  client.send(message(MSG.CHANNEL_DATA, id, "hello"));
  const answer = await client.next(MSG.CHANNEL_DATA);
  answer.uint32();
  expect(answer.text()).toBe("hello");
};

const getIn = async (): Promise<void> => {
  const entry = { HostName: "127.0.0.1", Port: jump.port, User: "jump", IdentityFile: jump.clientKey.path };
  const config = await jump.folder.config({ lazyssh: entry });
  const { stdout, stderr } = await ssh(["-F", config, "-W", `archiver:${target.port}`, "lazyssh"], {
    input: "hi",
  });
  expect(stdout.toString(), stderr).toBe("hi");
};

const comeSilently = (count: number): void => {
  for (let n = 0; n < count; n++) {
    const socket = connect({ port: jump.port, host: "127.0.0.1", localAddress: "127.0.0.3" });
    socket.on("error", () => undefined).resume();
    silent.add(socket);
  }
};

/** Milliseconds of processor time so far. */
const cpu = (): number => {
  const fields = readFileSync(`/proc/${jump.program.process.pid}/stat`, "latin1").split(") ")[1]?.split(" ");
  return (Number(fields?.[11]) + Number(fields?.[12])) * 10;
};

/** Only the soft limit of the running program, which anybody may raise again. */
const limitFiles = async (limit: number): Promise<void> => {
  await promisify(execFile)("prlimit", [`--pid=${jump.program.process.pid}`, `--nofile=${limit}:`]);
};

/** Those above the limit it began with are not its own, but from whoever started it. */
const filesInUse = (): readonly number[] =>
  readdirSync(`/proc/${jump.program.process.pid}/fd`)
    .map(Number)
    .filter((fd) => fd < FILES);

/** Leaves no number free for another file, but for the few below the highest one that is taken; when it opens none of itself any more. */
const useUpFiles = async (): Promise<void> => {
  let numbers: readonly number[] = [];
  await eventually("its files to be as they were half a second ago", async () => {
    const before = numbers;
    await systemClock.sleep(500);
    numbers = filesInUse();
    return `${before}` === `${numbers}`;
  });
  await limitFiles(Math.max(...numbers) + 1);
};

const stillOpen = (): number => [...silent].filter(({ closed }) => !closed).length;

describe(`a server that may have ${FILES} files`, () => {
  test("lets clients in and goes on with what is under way, whoever else comes", async () => {
    await using client = await loggedIn();
    const { id } = await client.open("archiver", target.port);
    comeSilently(300);
    await jump.program.logged("connections.refused", ({ why }) => why === "startups");
    for (let n = 0; n < 3; n++) {
      await talk(client, id);
      await getIn();
    }
    expect(resourcesOf(jump.program).files).toBeLessThan(FILES - 20);
    expect(jump.program.log.filter(({ msg }) => msg === "server.warning")).toEqual([]);
  });

  test("refuses channels in words before it has none left, and opens them again when others are closed", async () => {
    await using client = await loggedIn();
    for (let id = 0; id < 120; id++) client.send(directTcpip("archiver", target.port, id));
    await eventually("all answers", () => client.count(91) + client.count(92) === 120);
    const opened = client.count(MSG.CHANNEL_OPEN_CONFIRMATION);
    expect(opened).toBeGreaterThan(40);
    expect(resourcesOf(jump.program).files).toBeLessThan(FILES - 10);
    const refused = await client.next(MSG.CHANNEL_OPEN_FAILURE);
    refused.uint32();
    expect(refused.uint32()).toBe(4);
    expect(refused.text()).toMatch(/as many connections as its limit of open files allows: raise it/);
    await talk(client, 7);
    for (let id = 0; id < opened; id++) client.send(message(MSG.CHANNEL_CLOSE, id));
    await eventually("the files to be closed", () => resourcesOf(jump.program).files < FILES / 2);
    await getIn();
  });
});

describe("a server that has no files left", () => {
  const itWith = requires("prlimit");
  itWith(
    "goes on with what is under way, does not spin, and lets clients in when it has some again",
    async () => {
      await using client = await loggedIn();
      const { id } = await client.open("archiver", target.port);
      await useUpFiles();
      comeSilently(200);
      // The system's queue is emptied, by closing what comes: clients know at once.
      await eventually("most to be dropped", () => stillOpen() < 30).catch((error: Error) => {
        const log = jump.program.log.slice(-8).map((line) => JSON.stringify(line));
        const files = filesInUse();
        throw new Error([error.message, `${stillOpen()} are left; files ${files}`, ...log].join("\n"));
      });
      const before = cpu();
      await systemClock.sleep(1_000);
      expect(cpu() - before).toBeLessThan(300);
      await talk(client, id);
      await limitFiles(FILES);
      await getIn();
      await talk(client, id);
    },
  );

  itWith("refuses a channel that needs one, in words, and opens it when there is one again", async () => {
    await using client = await loggedIn();
    await useUpFiles();
    for (let id = 0; id < 40; id++) client.send(directTcpip("archiver", target.port, id));
    const refused = await client.next(MSG.CHANNEL_OPEN_FAILURE);
    const id = refused.uint32();
    expect(refused.uint32()).toBe(4);
    expect(refused.text()).toMatch(/no file descriptors left \(EMFILE\)/);
    await limitFiles(FILES);
    client.send(directTcpip("archiver", target.port, id + 100));
    const opened = async () => (await client.next(MSG.CHANNEL_OPEN_CONFIRMATION)).uint32();
    while ((await opened()) !== id + 100);
    await getIn();
  });
});
