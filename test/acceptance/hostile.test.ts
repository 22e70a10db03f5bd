import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MSG, message } from "../../src/server/protocol.ts";
import { systemClock } from "../../src/util/clock.ts";
import { type JumpHost, startJumpHost } from "../harness/jump-host.ts";
import { LOGGED } from "../harness/program.ts";
import { directTcpip, type RawClient, rawClient } from "../harness/raw-client.ts";
import { growthDuring, MIB } from "../harness/resources.ts";
import { ssh, startSsh } from "../harness/ssh.ts";
import { connected, echo, type TcpTarget, tcpTarget } from "../harness/tcp.ts";
import { eventually } from "../harness/world.ts";

/** What the program may take more, whatever a client does; some of these had ssh2's own server grow by gigabytes. */
const MOST_GROWTH = 64 * MIB;

let jump: JumpHost;
let target: TcpTarget;
let serve: (socket: Socket) => void;

beforeEach(async () => {
  serve = echo;
  jump = await startJumpHost();
  target = await tcpTarget((socket) => serve(socket));
}, 60_000);
afterEach(async () => {
  await jump[Symbol.asyncDispose]();
  await target[Symbol.asyncDispose]();
});

const loggedIn = async (): Promise<RawClient> => {
  const client = await rawClient(jump.port);
  await client.login(jump.clientKey);
  return client;
};

const entry = () => ({
  HostName: "127.0.0.1",
  Port: jump.port,
  User: "jump",
  IdentityFile: jump.clientKey.path,
});

/** The real client, from an address of its own. */
const sshFrom = async (address: string, input: string | Buffer = "hello", name = "archiver") => {
  const config = await jump.folder.config({ lazyssh: { ...entry(), BindAddress: address } });
  return await ssh(["-F", config, "-W", `${name}:${target.port}`, "lazyssh"], { input, deadlineMs: 60_000 });
};

const stillServes = async (address = "127.0.0.2"): Promise<void> => {
  serve = echo;
  const { stdout, stderr } = await sshFrom(address);
  expect(stdout.toString(), stderr).toBe("hello");
};

/** Why the server ended the connection. */
const farewell = async (client: RawClient): Promise<string> => {
  const fields = await client.next(MSG.DISCONNECT);
  fields.uint32();
  return fields.text();
};

/** Sends until the server takes no more, or for so long. */
const pour = async (client: RawClient, payload: () => Buffer, forMs: number): Promise<number> => {
  const until = Date.now() + forMs;
  let sent = 0;
  while (Date.now() < until && !client.socket.destroyed && client.count(MSG.DISCONNECT) === 0) {
    for (let n = 0; n < 100 && client.socket.writableLength < MIB; n++) {
      client.send(payload());
      sent += 1;
    }
    await systemClock.sleep(1);
  }
  return sent;
};

describe("the rows of the table", () => {
  test("a client that opens a window of 4 GiB and stops reading holds its target back", async () => {
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
    await using client = await loggedIn();
    client.socket.pause();
    const growth = await growthDuring(jump.program, async () => {
      client.send(directTcpip("archiver", target.port, 0, 2 ** 32 - 1));
      await systemClock.sleep(5_000);
    });
    console.info(`4 GiB window: +${Math.round(growth / MIB)} MiB after ${taken / MIB} MiB were taken`);
    expect(growth).toBeLessThan(MOST_GROWTH);
    expect(taken).toBeGreaterThan(0);
    await stillServes();
  });

  test("a client that ignores our window while its target is stuck is disconnected with a protocol error", async () => {
    serve = (socket) => socket.pause();
    await using client = await loggedIn();
    const { id } = await client.open("archiver", target.port);
    const data = message(MSG.CHANNEL_DATA, id, Buffer.alloc(32 * 1024));
    const growth = await growthDuring(jump.program, () => pour(client, () => data, 5_000));
    console.info(`window ignored: +${Math.round(growth / MIB)} MiB`);
    expect(await farewell(client)).toBe("the client sent more than its window");
    expect(growth).toBeLessThan(MOST_GROWTH);
    await stillServes();
  });

  test("a target that closes first gets all of the 20 MB that the client uploads then", async () => {
    let arrived = 0;
    serve = (socket) => {
      socket.end("bye");
      socket.on("data", (chunk: Buffer) => {
        arrived += chunk.length;
      });
    };
    // With -W the client itself ends both directions at once, with -L it does not.
    const path = join(jump.folder.path, "forward");
    const config = await jump.folder.config({ lazyssh: entry() });
    const client = startSsh(["-F", config, "-N", "-L", `${path}:archiver:${target.port}`, "lazyssh"]);
    const local = await connected(path);
    const [greeting] = (await once(local, "data")) as [Buffer];
    await once(local, "end");
    local.end(Buffer.alloc(20_000_000, 7));
    await eventually("20 MB at the target", () => arrived === 20_000_000);
    expect(greeting.toString()).toBe("bye");
    await client.end();
  });

  test("garbage before the login costs its connection, is counted, and is refused when it goes on", async () => {
    const noise = Buffer.alloc(4_096, 0xfe);
    const send = async (bytes: Buffer | string): Promise<string> => {
      const socket = connect(jump.port, "127.0.0.1", () => socket.write(bytes));
      socket.on("error", () => undefined);
      let said = "";
      socket.on("data", (chunk: Buffer) => {
        said += chunk.toString("latin1");
      });
      // An error before it is no error here.
      await new Promise((over) => socket.once("close", over));
      return said;
    };
    await send("GET / HTTP/1.1\r\nHost: jump\r\n\r\n");
    await send(Buffer.concat([Buffer.from("SSH-2.0-noise\r\n"), noise]));
    const { reason } = await jump.program.logged("source.refused");
    expect(reason).toBe("connections from there did not keep to the SSH protocol");
    const closed = () => jump.program.log.filter(({ msg }) => msg === "connection.close");
    await expect
      .poll(() => closed().map((line) => line.reason), LOGGED)
      .toEqual(["the client does not speak SSH 2.0", "the client sent a bad packet (Bad packet length)"]);
    // As sshd has it, and for those who show it the reason in words.
    const said = await send("SSH-2.0-again\r\n");
    expect(said).toMatch(/^Not allowed at this time\r\nSSH-2\.0-lazyssh\r\n/);
    expect(said).toMatch(/it is let in again in \d+ s/);
    await stillServes();
  });

  test("600 password attempts are cut off after six, and then their address is refused", async () => {
    let attempts = 0;
    let connections = 0;
    const started = Date.now();
    while (attempts < 600 && (connections <= 20 || Date.now() - started < 5_000)) {
      let client: RawClient;
      try {
        connections += 1;
        client = await rawClient(jump.port);
      } catch {
        await systemClock.sleep(20);
        continue;
      }
      client.send(message(MSG.SERVICE_REQUEST, "ssh-userauth"));
      const method = connections % 2 ? "password" : "publickey";
      const guess = method === "password" ? [false, "secret"] : [false, "ssh-ed25519", jump.hostKey.blob];
      for (let n = 0; n < 20; n++) {
        client.send(message(MSG.USERAUTH_REQUEST, "jump", "ssh-connection", method, ...guess));
      }
      expect(await farewell(client)).toContain("too many authentication failures");
      expect(client.count(MSG.USERAUTH_FAILURE)).toBe(5);
      attempts += 6;
      await client[Symbol.asyncDispose]();
    }
    // Three connections at once, or four or five one after the other, and none after that.
    expect(attempts).toBeLessThanOrEqual(30);
    expect(connections).toBeGreaterThan(20);
    const lines = (what: string) => jump.program.log.filter(({ msg }) => msg === what);
    await expect
      .poll(() => lines("source.refused"), LOGGED)
      .toMatchObject([
        { source: "127.0.0.1", reason: "logins from there failed again and again", level: "warn" },
      ]);
    await expect.poll(() => lines("connections.refused"), LOGGED).toHaveLength(1);
    const honest = await sshFrom("127.0.0.1");
    expect(honest.stderr).toMatch(/too many failed logins or broken connections from your address/);
    await stillServes();
  });

  test("a refusal has its reason in the client's terminal", async () => {
    const { stderr } = await sshFrom("127.0.0.2", "", "archivr");
    expect(stderr).toContain('there is no target "archivr": did you mean "archiver"?');
  });

  test("the first byte of the target does not wait for a delayed acknowledgement", async () => {
    serve = (socket) => socket.write("SSH-2.0-target\r\n");
    const times: number[] = [];
    // The quickest counts: Nagle's algorithm would hold back every one of them by 40 ms.
    const until = Date.now() + 15_000;
    do {
      await using client = await loggedIn();
      const started = performance.now();
      await client.open("archiver", target.port);
      await client.next(MSG.CHANNEL_DATA);
      times.push(performance.now() - started);
    } while (Math.min(...times) > 30 && Date.now() < until);
    console.info(`first byte: ${Math.round(Math.min(...times))} ms`);
    expect(Math.min(...times)).toBeLessThan(35);
  });
});

describe("and others", () => {
  test("256 channels with stuck targets are held to a bound for all of them together", async () => {
    serve = (socket) => socket.pause();
    await using client = await loggedIn();
    const growth = await growthDuring(jump.program, async () => {
      const windows = new Map<number, number>();
      for (let id = 0; id < 256; id++) {
        const opened = await client.open("archiver", target.port, { id });
        windows.set(opened.id, opened.window);
      }
      for (const [id, window] of windows) {
        for (let left = window; left > 0; left -= 32 * 1024) {
          client.send(message(MSG.CHANNEL_DATA, id, Buffer.alloc(Math.min(left, 32 * 1024))));
          while (client.socket.writableLength > MIB) await systemClock.sleep(1);
        }
      }
      await eventually("all to be sent", () => client.socket.writableLength === 0, 30_000);
      await systemClock.sleep(500);
    });
    console.info(`256 stuck channels: +${Math.round(growth / MIB)} MiB`);
    expect(growth).toBeLessThan(MOST_GROWTH);
    await stillServes();
  }, 90_000);

  test("key exchanges again and again end the connection, and others are served meanwhile", async () => {
    await using client = await loggedIn();
    let exchanges = 0;
    const storm = (async () => {
      while (client.count(MSG.DISCONNECT) === 0 && !client.socket.destroyed) {
        if (client.busy) await systemClock.sleep(0);
        else {
          client.rekey();
          exchanges += 1;
        }
      }
    })();
    await stillServes();
    await storm;
    expect(await farewell(client)).toBe("the client exchanged keys again and again");
    expect(exchanges).toBeGreaterThan(60);
  });

  test("a key exchange before the login ends the connection", async () => {
    await using client = await rawClient(jump.port);
    client.rekey();
    await client.closed;
    await jump.program.logged("connection.close", ({ reason }) =>
      String(reason).includes("exchanged keys again before the login"),
    );
  });

  test.each<[string, () => Buffer]>([
    ["ignored messages", () => message(MSG.IGNORE, Buffer.alloc(1_024))],
    ["service requests", () => message(MSG.SERVICE_REQUEST, "ssh-userauth")],
  ])("a flood of %s before the login ends after 256 KiB", async (_, payload) => {
    await using client = await rawClient(jump.port);
    await pour(client, payload, 10_000);
    await client.closed;
    await jump.program.logged("connection.close", ({ reason }) =>
      String(reason).includes("sent too much before the login"),
    );
    await stillServes();
  });

  test.each<[string, () => Buffer]>([
    ["global requests", () => message(MSG.GLOBAL_REQUEST, "keepalive@openssh.com", true)],
    ["ignored messages", () => message(MSG.IGNORE, Buffer.alloc(1_024))],
    ["debug messages", () => message(MSG.DEBUG, true, "x".repeat(1_000), "")],
    ["unknown messages", () => Buffer.alloc(100, 199)],
  ])(
    "a flood of %s from one who reads no answers takes no memory, and no others' time",
    async (_, payload) => {
      await using client = await loggedIn();
      client.socket.pause();
      let sent = 0;
      const growth = await growthDuring(jump.program, async () => {
        const flood = pour(client, payload, 2_500).then((count) => {
          sent = count;
        });
        await stillServes();
        await flood;
      });
      console.info(`${sent} messages: +${Math.round(growth / MIB)} MiB`);
      expect(sent).toBeGreaterThan(1_000);
      expect(growth).toBeLessThan(MOST_GROWTH);
      await stillServes();
    },
  );

  test.each([
    ["identification", "SSH-2.0-slowly-and-with-patience"],
    ["key exchange", `SSH-2.0-slow\r\n\0\0\x01\x0c\x0a\x14${"x".repeat(250)}`],
  ])(
    "300 who send their %s byte by byte keep nobody from their own address out",
    async (_, bytes) => {
      const sockets = new Set<Socket>();
      const over = new AbortController();
      const crawl = async (): Promise<void> => {
        while (!over.signal.aborted) {
          const socket = connect({ port: jump.port, host: "127.0.0.1", noDelay: true });
          sockets.add(socket);
          socket.on("error", () => undefined).resume();
          // The quick part at once: what is slow is the rest.
          const head = bytes.indexOf("\n") + 1;
          socket.write(bytes.slice(0, head + 1), "latin1");
          for (const byte of bytes.slice(head + 1)) {
            if (over.signal.aborted || socket.destroyed) break;
            socket.write(byte, "latin1");
            await systemClock.sleep(200);
          }
          sockets.delete(socket);
          socket.destroy();
          await systemClock.sleep(50);
        }
      };
      // Who has been in is not refused for what others do from there.
      await stillServes("127.0.0.1");
      const crowd = Array.from({ length: 300 }, () => crawl());
      try {
        await jump.program.logged("connections.refused", ({ why }) => why === "startups");
        for (let n = 0; n < 3; n++) await stillServes("127.0.0.1");
      } finally {
        over.abort();
        await Promise.all(crowd);
      }
    },
    90_000,
  );
});
