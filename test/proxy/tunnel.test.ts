import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { expect, test } from "vitest";
import { dial } from "../../src/proxy/dial.ts";
import { type ClientEnd, createTunnel, type Tunnel } from "../../src/proxy/tunnel.ts";
import { systemClock } from "../../src/util/clock.ts";
import { poll } from "../harness/front-door.ts";
import { type TcpTarget, tcpTarget } from "../harness/tcp.ts";

/** A client's end that notes what it is given, with as much room as the test allows. */
interface Client extends ClientEnd {
  space: number;
  readonly got: Buffer[];
  takenBytes: number;
  eof: boolean;
  reason: string | undefined;
}

function client(space = Number.MAX_SAFE_INTEGER): Client {
  const end: Client = {
    space,
    got: [],
    takenBytes: 0,
    eof: false,
    reason: undefined,
    room: () => end.space,
    send(data) {
      end.space -= data.length;
      end.got.push(Buffer.from(data));
    },
    sendEof() {
      end.eof = true;
    },
    taken(bytes) {
      end.takenBytes += bytes;
    },
    closed(reason) {
      end.reason = reason;
    },
  };
  return end;
}

async function joined(
  end: Client,
  onConnection: (socket: Socket) => void,
  lingerMs = 1_000,
): Promise<Joined> {
  const target = await tcpTarget(onConnection);
  const socket = await dial({
    target: "archiver",
    host: "127.0.0.1",
    port: target.port,
    readBuffer: new Uint8Array(64 * 1024),
    clock: systemClock,
    timeoutMs: 10_000,
    signals: [],
  });
  const tunnel = createTunnel({ socket, client: end, clock: systemClock, lingerMs });
  return {
    target,
    tunnel,
    async [Symbol.asyncDispose]() {
      tunnel.destroy();
      await target[Symbol.asyncDispose]();
    },
  };
}

interface Joined extends AsyncDisposable {
  readonly target: TcpTarget;
  readonly tunnel: Tunnel;
}

test("a client without room stops the reading, and gets the rest piece by piece", async () => {
  const sent = randomBytes(8_000_000);
  const end = client(1_000);
  await using pair = await joined(end, (socket) => socket.end(sent));
  await poll("first piece", () => end.space === 0);
  await systemClock.sleep(50);
  expect(pair.tunnel.bytesDown()).toBe(1_000);
  while (pair.tunnel.bytesDown() < sent.length) {
    end.space += 333_333;
    pair.tunnel.resume();
    await systemClock.sleep(1);
  }
  expect(Buffer.concat(end.got).equals(sent)).toBe(true);
  await poll("end", () => end.eof);
});

test("many small pieces arrive in order, and are all reported as taken", async () => {
  const received: Buffer[] = [];
  const end = client();
  await using pair = await joined(end, (socket) =>
    socket.on("data", (chunk: Buffer) => received.push(chunk)),
  );
  const sent = randomBytes(300_000);
  for (let at = 0; at < sent.length; ) {
    const piece = 1 + (at % 977);
    pair.tunnel.fromClient(sent.subarray(at, at + piece));
    pair.tunnel.flush(() => () => undefined);
    at += piece;
  }
  await poll("all taken", () => end.takenBytes === sent.length);
  await poll("all received", () => Buffer.concat(received).equals(sent));
  expect(pair.tunnel.bytesUp()).toBe(sent.length);
});

test("a stuck target takes no more than the system's buffers hold", async () => {
  const end = client();
  await using pair = await joined(end, (socket) => socket.pause());
  const block = Buffer.alloc(64 * 1024);
  for (let n = 0; n < 512; n++) {
    pair.tunnel.fromClient(block);
    pair.tunnel.flush(() => () => undefined);
  }
  await systemClock.sleep(200);
  expect(end.takenBytes).toBeLessThan(512 * block.length);
});

test("a client that leaves after its last byte has it delivered, even to a target that writes without end", async () => {
  const received: Buffer[] = [];
  const end = client(10);
  const block = Buffer.alloc(64 * 1024);
  await using pair = await joined(
    end,
    (socket) => {
      // Reads only as long as its own output is taken, as a simple server would.
      const talk = (): void => {
        socket.write(block, (error) => {
          if (error) return;
          const chunk = socket.read() as Buffer | null;
          if (chunk) received.push(chunk);
          talk();
        });
      };
      talk();
    },
    5_000,
  );
  const sent = randomBytes(3_000_000);
  pair.tunnel.fromClient(sent);
  pair.tunnel.flush(() => () => undefined);
  pair.tunnel.leave();
  await poll("all delivered", () => Buffer.concat(received).length === sent.length);
  expect(Buffer.concat(received).equals(sent)).toBe(true);
  await poll("closed", () => end.reason !== undefined);
  expect(end.eof).toBe(false);
});

test("an answer sent before the target broke off is delivered, though writing to it already fails", async () => {
  const answer = randomBytes(90_000);
  const end = client(1_000);
  await using pair = await joined(end, (socket) => {
    socket.write(answer);
    // Then there is room for the rest in the buffers of the system.
    void poll("the first of it to be read", () => end.space === 0)
      .then(() => systemClock.sleep(100))
      .then(() => socket.resetAndDestroy());
  });
  await poll("target gone", () => pair.target.sockets.size === 0);
  await systemClock.sleep(200);
  for (let n = 0; n < 10; n++) pair.tunnel.fromClient(Buffer.alloc(10_000));
  pair.tunnel.flush(() => () => undefined);
  await poll("uploads swallowed", () => end.takenBytes === 100_000);
  expect(end.reason).toBeUndefined();
  while (end.reason === undefined && pair.tunnel.bytesDown() < answer.length) {
    end.space += 50_000;
    pair.tunnel.resume();
    await systemClock.sleep(1);
  }
  expect(Buffer.concat(end.got).equals(answer)).toBe(true);
  await poll("closed", () => end.reason?.includes("the target broke the connection"));
});

test("nothing is heard of a tunnel that was destroyed", async () => {
  const end = client();
  await using pair = await joined(end, (socket) => socket.resume());
  pair.tunnel.fromClient(Buffer.alloc(100_000));
  pair.tunnel.flush(() => () => undefined);
  pair.tunnel.destroy();
  pair.tunnel.destroy();
  await poll("target's end", () => pair.target.sockets.size <= 1);
  await systemClock.sleep(50);
  expect(end).toMatchObject({ eof: false, reason: undefined });
});
