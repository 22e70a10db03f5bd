import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MSG, message } from "../../src/server/protocol.ts";
import { systemClock } from "../../src/util/clock.ts";
import { drink, flow } from "../harness/flow.ts";
import { type JumpHost, startJumpHost } from "../harness/jump-host.ts";
import { rawClient } from "../harness/raw-client.ts";
import { growthDuring, MIB, resourcesOf } from "../harness/resources.ts";
import { startSsh } from "../harness/ssh.ts";
import { echo, type TcpTarget, tcpTarget } from "../harness/tcp.ts";
import { eventually } from "../harness/world.ts";

const MB = 1_000_000;
const CI = process.env.CI === "true";
const LOGINS = fileURLToPath(new URL("../fixtures/logins.mjs", import.meta.url));
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
  await eventually("the transfer to be under way", () => bulk.stdout.bytesRead > 10 * MB);
  const before = bulk.stdout.bytesRead;
  const came = await clients(400, 400, "login");
  const meanwhile = bulk.stdout.bytesRead - before;
  over = true;
  const { code, stderr } = await bulk.result;
  expect(came).toEqual({ done: 400, failures: [] });
  expect(code, stderr).toBe(0);
  expect(await down).toBe(await up);
  console.info(`400 logins at once: ${Math.round(meanwhile / MB)} MB were echoed meanwhile`);
  expect(meanwhile).toBeGreaterThan(MB);
}, 120_000);

test.each([
  ["login", CI ? 10_000 : 1_000, "log in, open a channel and close it"],
  ["call", CI ? 10_000 : 1_000, "say who they are and leave"],
] as const)(
  "%s: neither memory nor files grow by %i clients that %s",
  async (what, count) => {
    // Node's heap grows to the size of what it has to do.
    const warmUp = await clients(Math.ceil(count / 2), 8, what);
    expect(warmUp).toEqual({ done: Math.ceil(count / 2), failures: [] });
    await quiet();
    const before = resourcesOf(jump.program);
    const started = performance.now();
    expect(await clients(count, 8, what)).toEqual({ done: count, failures: [] });
    const seconds = (performance.now() - started) / 1_000;
    await eventually("the files to be closed", () => resourcesOf(jump.program).files <= before.files, 30_000);
    await quiet();
    const after = resourcesOf(jump.program);
    const growth = (after.rss - before.rss) / MIB;
    console.info(
      `${count} × ${what}: ${seconds.toFixed(1)} s, from ${Math.round(before.rss / MIB)} by ${growth.toFixed(1)} MiB`,
    );
    expect(growth).toBeLessThan(16);
  },
  240_000,
);
