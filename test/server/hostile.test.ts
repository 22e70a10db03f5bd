import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { MSG, message } from "../../src/server/protocol.ts";
import { systemClock } from "../../src/util/clock.ts";
import { type OpenDoor, openDoor, poll } from "../harness/front-door.ts";
import { directTcpip, type RawClient, rawClient, signedRequest } from "../harness/raw-client.ts";
import { ssh } from "../harness/ssh.ts";
import { echo, type TcpTarget, tcpTarget } from "../harness/tcp.ts";

const MB = 1024 * 1024;

let door: OpenDoor;
let target: TcpTarget;
let serve: (socket: Socket) => void = echo;

beforeAll(async () => {
  door = await openDoor({
    limits: {
      loginGraceMs: 6_000,
      keyExchangeMs: 5_000,
      rekeyingMs: 1_000,
      startups: { begin: 60, rate: 100, full: 60 },
      penalties: false,
    },
  });
  target = await tcpTarget((socket) => serve(socket));
});
afterEach(async () => {
  for (const socket of target.sockets) socket.destroy();
  await poll("end of all connections", () => door.door.connections === 0 && door.targets.held === 0);
  serve = echo;
});
afterAll(async () => {
  await door[Symbol.asyncDispose]();
  await target[Symbol.asyncDispose]();
});

const loggedIn = async (): Promise<RawClient> => {
  const client = await rawClient(door.port);
  await client.login(door.clientKey);
  return client;
};

/** Why the server ended the connection. */
const farewell = async (client: RawClient): Promise<string> => {
  const fields = await client.next(MSG.DISCONNECT);
  fields.uint32();
  const text = fields.text();
  await client.closed;
  return text;
};

const stillServes = async (): Promise<void> => {
  serve = echo;
  const config = await door.config();
  const result = await ssh(["-F", config, "-W", `archiver:${target.port}`, "lazyssh"], { input: "hello" });
  expect(result.stdout.toString()).toBe("hello");
};

describe("before the login", () => {
  const plain = async (bytes: Buffer | string): Promise<void> => {
    const socket = connect(door.port, "127.0.0.1", () => socket.write(bytes));
    socket.on("error", () => undefined);
    socket.resume();
    await poll("end of the connection", () => socket.closed);
  };

  test("garbage instead of an identification only costs its own connection", async () => {
    await plain("GET / HTTP/1.1\r\nHost: jump\r\n\r\n");
    await plain(randomBytes(100_000));
    await plain(`SSH-2.0-${"x".repeat(300)}\r\n`);
    await plain("SSH-1.5-old\r\n");
    await stillServes();
  });

  test("garbage during the key exchange only costs its own connection", async () => {
    for (let round = 0; round < 20; round++) {
      await plain(Buffer.concat([Buffer.from("SSH-2.0-fuzz\r\n"), randomBytes(2_000)]));
    }
    // A well framed packet whose padding is longer than itself.
    await plain(
      Buffer.concat([Buffer.from("SSH-2.0-fuzz\r\n"), Buffer.from("0000000cff14", "hex"), Buffer.alloc(10)]),
    );
    // A KEXINIT that ends within its first list.
    const short = Buffer.concat([
      Buffer.from([0, 0, 0, 28, 6, MSG.KEXINIT]),
      Buffer.alloc(16),
      Buffer.alloc(10, 255),
    ]);
    await plain(Buffer.concat([Buffer.from("SSH-2.0-fuzz\r\n"), short]));
    // A public key before any KEXINIT, over which ssh2 stumbles.
    await plain(
      Buffer.concat([
        Buffer.from("SSH-2.0-fuzz\r\n"),
        Buffer.from("0000000c061e00000001ff000000000000", "hex"),
      ]),
    );
    await door.event("connection.close", ({ reason }) => reason === "the client sent a bad packet");
    await stillServes();
  });

  test("the grace counts from one's own arrival, however long the server has been up", async () => {
    await using old = await openDoor({ limits: { loginGraceMs: 4_000 } });
    await systemClock.sleep(4_100);
    await using client = await rawClient(old.port);
    await client.login(old.clientKey);
    expect(client.socket.closed).toBe(false);
  });

  test("a connection that says nothing is dropped when the grace is over", async () => {
    const socket = connect(door.port, "127.0.0.1");
    socket.resume();
    const started = Date.now();
    await poll("end of the connection", () => socket.closed);
    expect(Date.now() - started).toBeLessThan(14_500);
    const { reason } = await door.event("connection.close", (event) => event.reason.includes("took longer"));
    expect(reason).toMatch(/the (login|key exchange) took longer than [56] s/);
  });

  test("an identification that comes byte by byte is understood", async () => {
    const socket = connect({ port: door.port, host: "127.0.0.1", noDelay: true });
    let got = 0;
    socket.on("data", (chunk: Buffer) => {
      got += chunk.length;
    });
    for (const byte of "SSH-2.0-slow\r\n") {
      socket.write(byte);
      await systemClock.sleep(2);
    }
    // Its own line, and then the KEXINIT that answers ours.
    await poll("the server's KEXINIT", () => got > 500);
    socket.destroy();
  });

  test("one who exchanges keys but does not log in is told so and dropped", async () => {
    await using client = await rawClient(door.port);
    expect(await farewell(client)).toBe("the login took longer than 6 s");
  });

  test("six failed logins, none included, are the last", async () => {
    await using client = await rawClient(door.port);
    client.send(message(MSG.SERVICE_REQUEST, "ssh-userauth"));
    for (let n = 0; n < 20; n++) {
      client.send(
        message(MSG.USERAUTH_REQUEST, "jump", "ssh-connection", n % 2 ? "password" : "none", "secret"),
      );
    }
    expect(await farewell(client)).toContain("too many authentication failures");
    expect(client.count(MSG.USERAUTH_FAILURE)).toBe(5);
  });

  test.each([
    ["a channel", directTcpip("archiver", 22)],
    ["a global request", message(MSG.GLOBAL_REQUEST, "tcpip-forward", true)],
    ["a success of its own making", message(MSG.USERAUTH_SUCCESS)],
    ["a login without its service", message(MSG.USERAUTH_REQUEST, "jump", "ssh-connection", "none")],
    ["another service", message(MSG.SERVICE_REQUEST, "ssh-connection")],
    ["a message that is cut off", message(MSG.SERVICE_REQUEST).subarray(0, 1)],
  ])("one who sends %s is disconnected", async (_, payload) => {
    await using client = await rawClient(door.port);
    client.send(payload);
    await client.next(MSG.DISCONNECT);
    await client.closed;
  });

  test("a swapped algorithm, key or signature does not log in", async () => {
    const other = await door.folder.key(`other-${Date.now()}`);
    await using client = await rawClient(door.port);
    client.send(message(MSG.SERVICE_REQUEST, "ssh-userauth"));
    const { sessionId } = client;
    const key = door.clientKey;
    const wrong = [
      signedRequest(sessionId, other, "jump"),
      signedRequest(sessionId, other, "jump", { blob: key.blob }),
      signedRequest(randomBytes(32), key, "jump"),
      signedRequest(sessionId, key, "jump", { name: "rsa-sha2-256" }),
      signedRequest(sessionId, key, "root"),
    ];
    for (const request of wrong) {
      client.send(request);
      await client.next(MSG.USERAUTH_FAILURE);
    }
    client.send(signedRequest(sessionId, key, "jump"));
    await client.next(MSG.USERAUTH_SUCCESS);
  });

  test("more strangers than allowed are dropped at once, and those who are in stay", async () => {
    await using client = await loggedIn();
    const strangers = Array.from({ length: 80 }, () => connect(door.port, "127.0.0.1"));
    for (const stranger of strangers) stranger.on("error", () => undefined).resume();
    await poll("twenty dropped", () => strangers.filter(({ closed }) => closed).length >= 20, 1_000);
    const { id } = await client.open("archiver", target.port);
    expect(id).toBe(0);
    await poll("the rest dropped", () => strangers.every(({ closed }) => closed));
  });
});

describe("after the login", () => {
  test("one more than may be logged in is told so and ended, and may come when another has left", async () => {
    await using small = await openDoor({ limits: { connections: 2 } });
    const enter = async (): Promise<RawClient> => {
      const client = await rawClient(small.port);
      await client.login(small.clientKey);
      return client;
    };
    await using _first = await enter();
    const second = await enter();
    await using third = await rawClient(small.port);
    await expect(third.login(small.clientKey)).rejects.toThrow();
    expect(await farewell(third)).toBe(
      "this jump host has 2 connections, more are not allowed: try again later",
    );
    await second[Symbol.asyncDispose]();
    await poll("the end of the second", () => small.door.connections === 1);
    await using _fourth = await enter();
    expect(small.door.connections).toBe(2);
  });

  test("a window of 4 GiB and a client that reads no more hold the target back", async () => {
    let taken = 0;
    serve = (socket) => {
      const block = Buffer.alloc(MB);
      const more = (): void => {
        socket.write(block, (error) => {
          if (error) return;
          taken += block.length;
          more();
        });
      };
      more();
    };
    await using client = await loggedIn();
    client.socket.pause();
    client.send(directTcpip("archiver", target.port, 0, 2 ** 32 - 1));
    let before = -1;
    while (taken > before || taken === 0) {
      before = taken;
      await systemClock.sleep(500);
    }
    // What loopback sockets hold is the kernel's: two pairs of buffers of a few MiB each.
    expect(taken).toBeLessThan(48 * MB);
  });

  test("one who sends more than its window is disconnected, and no more than the window is kept", async () => {
    serve = (socket) => socket.pause();
    await using client = await loggedIn();
    const { id, window } = await client.open("archiver", target.port);
    const data = Buffer.alloc(32 * 1024);
    const before = process.memoryUsage().arrayBuffers;
    // The kernel takes a few MiB before our window begins to shrink.
    for (let sent = 0; sent < window + 32 * MB && !client.socket.closed; sent += data.length) {
      client.send(message(MSG.CHANNEL_DATA, id, data));
      if (client.socket.writableLength > MB) await systemClock.sleep(1);
      if (client.count(MSG.DISCONNECT) > 0) break;
    }
    expect(await farewell(client)).toBe("the client sent more than its window");
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * MB);
  });

  test.each([
    ["a packet larger than agreed", (id: number) => message(MSG.CHANNEL_DATA, id, Buffer.alloc(33_000))],
    ["a window beyond 4 GiB", (id: number) => message(MSG.CHANNEL_WINDOW_ADJUST, id, 2 ** 32 - 1)],
    ["data for a channel that is not", (id: number) => message(MSG.CHANNEL_DATA, id + 7, "data")],
    ["data that is cut off", (id: number) => message(MSG.CHANNEL_DATA, id, 100)],
    ["a global request that is cut off", () => message(MSG.GLOBAL_REQUEST, "keepalive@openssh.com")],
  ])("one who sends %s is disconnected", async (_, payload) => {
    await using client = await loggedIn();
    const { id } = await client.open("archiver", target.port);
    client.send(payload(id));
    await farewell(client);
  });

  test("one who sends data after the end of its data is disconnected", async () => {
    serve = (socket) => socket.resume();
    await using client = await loggedIn();
    const { id } = await client.open("archiver", target.port);
    client.send(message(MSG.CHANNEL_EOF, id));
    client.send(message(MSG.CHANNEL_DATA, id, "more"));
    expect(await farewell(client)).toBe("the client sent data after the end of its data");
  });

  test.each([0, 65_536, 65_558, 2 ** 32 - 1])("port %i is refused, not cut to 16 bits", async (port) => {
    await using client = await loggedIn();
    client.send(directTcpip("archiver", port));
    const fields = await client.next(MSG.CHANNEL_OPEN_FAILURE);
    fields.uint32();
    expect(fields.uint32()).toBe(1);
    expect(fields.text()).toBe(`archiver: there is no port ${port}, they are 1 to 65535`);
    expect(door.targets.pending + door.targets.held).toBe(0);
  });

  test("a flood of channels ends at the limit, and the open ones go on", async () => {
    await using client = await loggedIn();
    for (let id = 0; id < 400; id++) client.send(directTcpip("archiver", target.port, id));
    await poll("all answers", () => client.count(91) + client.count(92) === 400);
    expect(client.count(MSG.CHANNEL_OPEN_CONFIRMATION)).toBe(256);
    const refused = await client.next(MSG.CHANNEL_OPEN_FAILURE);
    refused.uint32();
    expect(refused.uint32()).toBe(4);
    expect(refused.text()).toBe("this connection has 256 channels, more are not allowed");
    client.send(message(MSG.CHANNEL_DATA, 3, "hello"));
    const answer = await client.next(MSG.CHANNEL_DATA);
    answer.uint32();
    expect(answer.text()).toBe("hello");
  });

  test("answers that nobody reads stop the reading of questions", async () => {
    await using client = await loggedIn();
    client.socket.pause();
    const question = message(MSG.GLOBAL_REQUEST, "keepalive@openssh.com", true);
    let sent = 0;
    let still = 0;
    // Until the server has read nothing more for half a second.
    for (let last = -1; still < 50; ) {
      while (client.socket.writableLength < MB) {
        client.send(question);
        sent += 1;
      }
      const queued = client.socket.bytesWritten - client.socket.writableLength;
      still = queued === last ? still + 1 : 0;
      last = queued;
      await systemClock.sleep(10);
      expect(sent).toBeLessThan(2_000_000);
    }
    expect(door.door.connections).toBe(1);
  });

  test("an unknown message is answered with its number, and ignored", async () => {
    await using client = await loggedIn();
    client.send(Buffer.of(199, 1, 2, 3));
    const answer = await client.next(MSG.UNIMPLEMENTED);
    // Strict key exchange counts from the new keys: service request, login, this.
    expect(answer.uint32()).toBeGreaterThan(1);
    await client.open("archiver", target.port);
  });

  test("a key exchange that is begun and not finished is not waited for", async () => {
    await using client = await loggedIn();
    await client.open("archiver", target.port);
    // After its KEXINIT the client sends nothing at all.
    client.rekey();
    client.socket.pause();
    client.socket.removeAllListeners("data");
    await door.event("connection.close", ({ reason }) => reason === "the key exchange took longer than 1 s");
  });

  test("a client that is gone without a word is noticed, and its machine given back", async () => {
    await using quick = await openDoor({ limits: { keepaliveMs: 150, deadAfterMs: 600 } });
    await using client = await rawClient(quick.port);
    await client.login(quick.clientKey);
    await client.open("archiver", target.port);
    expect(quick.targets.held).toBe(1);
    const asked = await client.next(MSG.GLOBAL_REQUEST);
    expect(asked.text()).toBe("keepalive@openssh.com");
    await poll("lease given back", () => quick.targets.held === 0);
    await quick.event("connection.close", ({ reason }) => reason.includes("no sign of life for 600 ms"));
  });

  test("a client that answers is kept, however long it says nothing else", async () => {
    await using quick = await openDoor({ limits: { keepaliveMs: 60, deadAfterMs: 240 } });
    await using client = await rawClient(quick.port);
    await client.login(quick.clientKey);
    await client.open("archiver", target.port);
    for (let round = 0; round < 12; round++) {
      await client.next(MSG.GLOBAL_REQUEST);
      client.send(message(MSG.REQUEST_FAILURE));
    }
    expect(quick.targets.held).toBe(1);
  });
});
