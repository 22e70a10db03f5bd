import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MSG, message } from "../../src/server/protocol.ts";
import { systemClock } from "../../src/util/clock.ts";
import { drink, flow, pour } from "../harness/flow.ts";
import { type JumpHost, startJumpHost } from "../harness/jump-host.ts";
import { directTcpip, rawClient } from "../harness/raw-client.ts";
import { growthDuring, MIB, resourcesOf } from "../harness/resources.ts";
import { startSsh } from "../harness/ssh.ts";
import { echo, type TcpTarget, tcpTarget } from "../harness/tcp.ts";
import { eventually } from "../harness/world.ts";

const MB = 1_000_000;
const CI = process.env.CI === "true";
const LOGINS = fileURLToPath(new URL("../fixtures/logins.mjs", import.meta.url));
const CYCLES = CI ? 10_000 : 2_000;
/** Clients after which the program has the memory that it needs. */
const WARM_UP = CI ? 2_500 : 1_000;
/** What a process may take more for each connection that is slow at one end. */
const PER_CONNECTION = 32 * MIB;

let jump: JumpHost;
let target: TcpTarget;
let serve: (socket: Socket) => void;
beforeEach(async () => {
  serve = echo;
  jump = await startJumpHost({
    server: 'limits {\n  max_startups     = "1000"\n  max_connections = 2000\n}',
  });
  target = await tcpTarget((socket) => serve(socket));
}, 60_000);
afterEach(async () => {
  await jump[Symbol.asyncDispose]();
  await target[Symbol.asyncDispose]();
});

interface Logins {
  readonly done: number;
  readonly failures: readonly string[];
}

/** In a process of its own: with `login` each has a byte echoed, else it leaves once it was answered. */
async function clients(count: number, atATime: number, what: "login" | "call"): Promise<Logins> {
  const login = what === "login" ? [jump.clientKey.path, String(target.port)] : [];
  const child = spawn(
    process.execPath,
    [LOGINS, String(jump.port), String(count), String(atATime), ...login],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  let out = "";
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  await once(child, "close");
  return JSON.parse(out) as Logins;
}

/** `ssh -W` to the target. */
async function start() {
  const entry = { HostName: "127.0.0.1", Port: jump.port, User: "jump", IdentityFile: jump.clientKey.path };
  const config = await jump.folder.config({ lazyssh: entry });
  const args = ["-F", config, "-W", `archiver:${target.port}`, "lazyssh"];
  const { child, result } = startSsh(args, { stdout: "manual", deadlineMs: 120_000 });
  if (!child.stdin || !child.stdout) throw new Error("no pipes");
  return { child, stdin: child.stdin, stdout: child.stdout, result };
}

/** No connection is there any more, neither of a client nor to a target. */
const quiet = (): Promise<unknown> => {
  const logged = (msg: string): number => jump.program.log.filter((line) => line.msg === msg).length;
  return eventually(
    "the end of all connections",
    () => target.sockets.size === 0 && logged("connection.close") >= logged("connection.open"),
    60_000,
  );
};

test("400 clients that log in at once during a bulk transfer all get in, and the transfer loses nothing", async () => {
  const bulk = await start();
  const source = flow();
  let over = false;
  const up = (async () => {
    while (!over) if (!bulk.stdin.write(source.next(256 * 1024))) await once(bulk.stdin, "drain");
    bulk.stdin.end();
    return source.digest();
  })();
  const down = drink(bulk.stdout);
  let echoed = 0;
  bulk.stdout.on("data", (chunk: Buffer) => {
    echoed += chunk.length;
  });
  await eventually("the transfer to be under way", () => echoed > 10 * MB);
  const before = echoed;
  const came = await clients(400, 400, "login");
  const meanwhile = echoed - before;
  over = true;
  const { code, stderr } = await bulk.result;
  expect(came).toEqual({ done: 400, failures: [] });
  expect(code, stderr).toBe(0);
  expect(await down).toBe(await up);
  console.info(`400 logins at once: ${Math.round(meanwhile / MB)} MB were echoed meanwhile`);
  expect(meanwhile).toBeGreaterThan(MB);
}, 120_000);

test.each([
  ["log in, open a channel and close it", "login"],
  ["say who they are and leave", "call"],
] as const)(
  "neither memory nor files grow by 10,000 clients, of whom the first 2,500 warm it up, that %s (fewer outside of CI)",
  async (_, what) => {
    // Node's heap grows to the size of what it has to do, sooner or later: what comes on top of that would be a leak.
    const cold = resourcesOf(jump.program).rss;
    const grown = await growthDuring(jump.program, async () => {
      expect(await clients(WARM_UP, 8, what)).toEqual({ done: WARM_UP, failures: [] });
    });
    await quiet();
    const before = { rss: cold + grown, files: resourcesOf(jump.program).files };
    const rest = CYCLES - WARM_UP;
    const started = performance.now();
    expect(await clients(rest, 8, what)).toEqual({ done: rest, failures: [] });
    const seconds = (performance.now() - started) / 1_000;
    await eventually("the files to be closed", () => resourcesOf(jump.program).files <= before.files, 30_000);
    await quiet();
    const after = resourcesOf(jump.program);
    const growth = (after.rss - before.rss) / MIB;
    console.info(
      `${rest} more × ${what}: ${seconds.toFixed(1)} s, from ${Math.round(before.rss / MIB)} by ${growth.toFixed(1)} MiB`,
    );
    expect(growth).toBeLessThan(16);
  },
  240_000,
);

/** A real client that sends, or gets, while the other end stands still and then takes little by little. */
async function slowTransfer(slow: "client" | "target"): Promise<void> {
  const bytes = 100 * MB;
  const little = { bytes: 2 * MB, ms: 50 };
  const started = Date.now();
  let there: Promise<string> | undefined;
  serve = (socket) => {
    if (slow === "client") {
      there = pour(socket, bytes);
      void there.then(() => socket.end());
    } else {
      there = systemClock.sleep(2_000).then(() => drink(socket, little));
      void there.then(() => socket.end());
    }
  };
  const { stdin, stdout, result } = await start();
  const here =
    slow === "client"
      ? systemClock.sleep(2_000).then(() => drink(stdout, little))
      : pour(stdin, bytes).finally(() => stdin.end());
  if (slow === "target") stdout.resume();
  const digest = await here;
  if (slow === "client") stdin.end();
  const { code, stderr } = await result;
  expect(code, stderr).toBe(0);
  expect(await there).toBe(digest);
  // It was held up, and not by buffers that took it all.
  expect(Date.now() - started).toBeGreaterThan(2_000);
}

describe("a connection takes less than 32 MiB, whichever end is slow", () => {
  beforeEach(async () => {
    // What the program needs for any transfer at all.
    const { stdin, stdout, result } = await start();
    const digests = Promise.all([pour(stdin, 30 * MB).finally(() => stdin.end()), drink(stdout)]);
    await result;
    const [up, down] = await digests;
    expect(down).toBe(up);
    await quiet();
  });

  test.each([["target"], ["client"]] as const)(
    "a slow %s of a real client",
    async (slow) => {
      const growth = await growthDuring(jump.program, () => slowTransfer(slow));
      console.info(`slow ${slow}: +${(growth / MIB).toFixed(1)} MiB`);
      expect(growth).toBeLessThan(PER_CONNECTION);
    },
    120_000,
  );

  test("16 channels that send all they may to targets that take nothing", async () => {
    serve = (socket) => socket.pause();
    await using client = await rawClient(jump.port);
    await client.login(jump.clientKey);
    let sent = 0;
    const growth = await growthDuring(jump.program, async () => {
      for (let id = 0; id < 16; id++) {
        const channel = await client.open("archiver", target.port, { id });
        const data = message(MSG.CHANNEL_DATA, channel.id, Buffer.alloc(32 * 1024));
        for (let left = channel.window; left >= 32 * 1024; left -= 32 * 1024) {
          client.send(data);
          sent += 32 * 1024;
        }
      }
      // It has been through all of it when it answers.
      client.send(directTcpip("nowhere", 1, 99));
      await client.next(MSG.CHANNEL_OPEN_FAILURE);
      await systemClock.sleep(500);
    });
    console.info(`16 stuck targets: +${(growth / MIB).toFixed(1)} MiB after ${(sent / MIB).toFixed(1)} MiB`);
    expect(sent).toBeGreaterThanOrEqual(4 * MIB);
    expect(growth).toBeLessThan(PER_CONNECTION);
  }, 60_000);

  test("16 channels whose targets send all they can to a client that takes nothing", async () => {
    const block = Buffer.alloc(MIB);
    let taken = 0;
    serve = (socket) => {
      const more = (error?: Error | null): void => {
        if (error) return;
        taken += block.length;
        socket.write(block, more);
      };
      more();
    };
    await using client = await rawClient(jump.port);
    await client.login(jump.clientKey);
    client.socket.pause();
    const growth = await growthDuring(jump.program, async () => {
      for (let id = 0; id < 16; id++) client.send(directTcpip("archiver", target.port, id, 2 ** 32 - 1));
      await eventually("all targets", () => target.sockets.size === 16);
      await systemClock.sleep(2_000);
    });
    console.info(`a stuck client: +${(growth / MIB).toFixed(1)} MiB after ${taken / MIB} MiB were taken`);
    expect(growth).toBeLessThan(PER_CONNECTION);
  }, 60_000);
});
