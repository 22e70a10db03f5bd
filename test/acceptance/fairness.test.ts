import { connect, Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type JumpHost, startJumpHost } from "../harness/jump-host.ts";
import { startSsh } from "../harness/ssh.ts";
import { type TcpTarget, tcpTarget } from "../harness/tcp.ts";
import { eventually } from "../harness/world.ts";

const MB = 1_000_000;
const TEST_MS = 60_000;
const DEADLINE_MS = 25_000;
const BLOCK = Buffer.alloc(256 * 1024);

let jump: JumpHost;
let source: TcpTarget;
let sink: TcpTarget;
/** Bytes that have come, by the label that each upload begins with. */
const arrived = new Map<string, number>();

beforeAll(async () => {
  jump = await startJumpHost();
  source = await tcpTarget(pour);
  sink = await tcpTarget((socket) => {
    let label: string | undefined;
    socket.on("data", (chunk) => {
      label ??= chunk.subarray(0, 2).toString();
      arrived.set(label, (arrived.get(label) ?? 0) + chunk.length);
    });
  });
}, 60_000);
afterAll(async () => {
  await source[Symbol.asyncDispose]();
  await sink[Symbol.asyncDispose]();
  await jump[Symbol.asyncDispose]();
});

/** Writes without end. */
function pour(socket: Socket): void {
  const more = (): void => {
    while (socket.writable && socket.write(BLOCK));
  };
  socket.on("drain", more);
  socket.on("error", () => undefined);
  more();
}

/** One `ssh -N` with `count` channels to a port, each behind a socket of this machine. */
async function connection(name: string, port: number, count: number) {
  const paths = Array.from({ length: count }, (_, at) => join(jump.folder.path, `${name}-${at}`));
  const entry = { HostName: "127.0.0.1", Port: jump.port, User: "jump", IdentityFile: jump.clientKey.path };
  const config = await jump.folder.config({ lazyssh: entry });
  const forwards = paths.flatMap((path) => ["-L", `${path}:archiver:${port}`]);
  const running = startSsh(["-F", config, "-N", ...forwards, "lazyssh"], { deadlineMs: DEADLINE_MS });
  const sockets = await Promise.all(
    paths.map((path) =>
      eventually(`${path} to be there`, async () => {
        const socket = connect(path);
        socket.on("error", () => undefined);
        return await new Promise<Socket | false>((resolve) => {
          socket.once("connect", () => resolve(socket));
          socket.once("error", () => resolve(false));
        });
      }),
    ),
  );
  return {
    sockets: sockets.filter((socket) => socket instanceof Socket),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) if (socket) socket.destroy();
      await running.end();
    },
  };
}

/** Counts what each has, from now on until all together have so much. */
async function shares(counts: () => readonly number[], total: number): Promise<readonly number[]> {
  const before = [...counts()];
  const moved = () => counts().map((count, at) => count - (before[at] ?? 0));
  await eventually(
    "enough to be moved",
    () => moved().reduce((sum, each) => sum + each) >= total,
    DEADLINE_MS,
  );
  return moved();
}

const least = (all: readonly number[]): number => Math.min(...all) / all.reduce((sum, each) => sum + each);

test(
  "of the channels of one connection none gets less than half of its share, down or up",
  async () => {
    await using down = await connection("down", source.port, 4);
    const got = down.sockets.map(() => 0);
    down.sockets.forEach((socket, at) => {
      socket.on("data", (chunk) => {
        got[at] = (got[at] ?? 0) + chunk.length;
      });
    });
    await eventually("all to have begun", () => got.every((bytes) => bytes > MB), DEADLINE_MS);
    expect(least(await shares(() => got, 100 * MB))).toBeGreaterThan(1 / 8);

    await using up = await connection("up", sink.port, 4);
    const labels = up.sockets.map((socket, at) => {
      socket.write(`c${at}`);
      pour(socket);
      return `c${at}`;
    });
    const counts = () => labels.map((label) => arrived.get(label) ?? 0);
    await eventually("all to have begun", () => counts().every((bytes) => bytes > MB), DEADLINE_MS);
    expect(least(await shares(counts, 100 * MB))).toBeGreaterThan(1 / 8);
  },
  TEST_MS,
);

test(
  "a connection with one channel is not starved by one with eight",
  async () => {
    await using many = await connection("many", source.port, 8);
    await using one = await connection("one", source.port, 1);
    const got = [0, 0];
    [many, one].forEach(({ sockets }, at) => {
      for (const socket of sockets)
        socket.on("data", (chunk) => {
          got[at] = (got[at] ?? 0) + chunk.length;
        });
    });
    await eventually("both to have begun", () => got.every((bytes) => bytes > MB), DEADLINE_MS);
    expect(least(await shares(() => got, 200 * MB))).toBeGreaterThan(1 / 10);
  },
  TEST_MS,
);
