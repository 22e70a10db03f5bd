import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MSG, message, Reader } from "../../src/server/protocol.ts";
import { systemClock } from "../../src/util/clock.ts";
import { drink, flow, pour, type Stalls } from "../harness/flow.ts";
import { type JumpHost, startJumpHost } from "../harness/jump-host.ts";
import { directTcpip, type RawOptions, rawClient } from "../harness/raw-client.ts";
import { startSsh } from "../harness/ssh.ts";
import { tcpTarget } from "../harness/tcp.ts";
import { eventually } from "../harness/world.ts";

const MB = 1_000_000;
const CI = process.env.CI === "true";
const DEADLINE_MS = 120_000;
const CIPHERS = ["aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr"] as const;

const HIDE_NATIVE_CIPHERS = fileURLToPath(new URL("../fixtures/hide-native-ciphers.cjs", import.meta.url));

let plain: JumpHost;
let rekeying: JumpHost;
let bare: JumpHost;
beforeAll(async () => {
  plain = await startJumpHost();
  bare = await startJumpHost({ env: { NODE_OPTIONS: `--require=${HIDE_NATIVE_CIPHERS}` } });
  rekeying = await startJumpHost({ server: 'limits {\n  rekey_bytes = "2MiB"\n}' });
}, 120_000);
afterAll(async () => {
  await plain[Symbol.asyncDispose]();
  await rekeying[Symbol.asyncDispose]();
  await bare[Symbol.asyncDispose]();
});

interface Digests {
  readonly up: string;
  readonly down: string;
}

/** A target that sends and takes so much at the same time, and what it has sent and taken. */
async function peer(bytes: number, stalls?: Stalls) {
  let settle: (digests: Promise<Digests>) => void = () => undefined;
  const digests = new Promise<Digests>((resolve) => {
    settle = resolve;
  });
  const target = await tcpTarget((socket) => {
    const both = Promise.all([drink(socket, stalls), pour(socket, bytes, stalls)]);
    settle(
      both.then(([up, down]) => {
        // Not sooner: `ssh -W` drops what it has not yet sent when the target ends.
        socket.end();
        return { up, down };
      }),
    );
  });
  return { target, digests };
}

interface Transfer {
  readonly jump: JumpHost;
  readonly bytes: number;
  readonly cipher: string;
  readonly target?: Stalls;
  readonly client?: Stalls;
  /** Stops the whole client for so long, and lets it run for as long, until it has ended. */
  readonly freezeMs?: number;
}

/** Both directions of `ssh -W` at once; returns how many times keys were exchanged. */
async function transfer({ jump, bytes, cipher, client, freezeMs, ...options }: Transfer): Promise<number> {
  const { target, digests } = await peer(bytes, options.target);
  await using _ = target;
  const entry = { HostName: "127.0.0.1", Port: jump.port, User: "jump", IdentityFile: jump.clientKey.path };
  const config = await jump.folder.config({ lazyssh: entry });
  const args = ["-v", "-c", cipher, "-F", config, "-W", `archiver:${target.port}`, "lazyssh"];
  const running = startSsh(args, { stdout: "manual", deadlineMs: DEADLINE_MS });
  const { stdin, stdout } = running.child;
  if (!stdin || !stdout) throw new Error("no pipes");
  let over = false;
  const ended = running.result.finally(() => {
    over = true;
  });
  const freezing = (async () => {
    while (freezeMs !== undefined && !over) {
      await systemClock.sleep(freezeMs);
      running.child.kill("SIGSTOP");
      await systemClock.sleep(freezeMs);
      running.child.kill("SIGCONT");
    }
  })();
  const upload = pour(stdin, bytes, client).finally(() => stdin.end());
  const talk = Promise.all([upload, drink(stdout, client), digests]);
  // A client that fails says why.
  const [up, down, there] = await Promise.race([
    talk,
    ended.then(async ({ code, stderr }) => (code === 0 ? await talk : Promise.reject(new Error(stderr)))),
  ]);
  const { code, stderr } = await ended;
  await freezing;
  expect(code, stderr).toBe(0);
  expect({ up: there.up, down }).toEqual({ up, down: there.down });
  return stderr.match(/SSH2_MSG_NEWKEYS received/g)?.length ?? 0;
}

describe("through `ssh -W`, both ways at once, every byte arrives in its place", () => {
  test(
    "of 6 clients with 50 MB each",
    async () => {
      const clients = [...CIPHERS, ...CIPHERS].map((cipher) =>
        transfer({ jump: plain, bytes: 50 * MB, cipher }),
      );
      expect(await Promise.all(clients)).toEqual([1, 1, 1, 1, 1, 1]);
    },
    DEADLINE_MS,
  );

  test(
    "of 6 clients with 50 MB each, while keys are exchanged every 2 MiB",
    async () => {
      const clients = [...CIPHERS, ...CIPHERS].map((cipher) =>
        transfer({ jump: rekeying, bytes: 50 * MB, cipher }),
      );
      // What is under way when an exchange starts goes with the old keys.
      for (const exchanges of await Promise.all(clients)) expect(exchanges).toBeGreaterThan(5);
    },
    DEADLINE_MS,
  );

  test(
    "of 3 clients with 50 MB each, where ssh2's native ciphers are missing",
    async () => {
      expect(bare.program.stderr()).toContain("native ciphers are missing");
      await Promise.all(CIPHERS.map((cipher) => transfer({ jump: bare, bytes: 50 * MB, cipher })));
    },
    DEADLINE_MS,
  );

  test.each([
    [
      "targets that stop reading and sending for 200 ms, again and again",
      { target: { bytes: 6 * MB, ms: 200 } },
    ],
    [
      "clients whose input and output stand still for 200 ms, again and again",
      { client: { bytes: 6 * MB, ms: 200 } },
    ],
    ["clients that are stopped for 150 ms, again and again", { freezeMs: 150 }],
    [
      "both ends that stall, each in its own time",
      { target: { bytes: 3 * MB, ms: 130 }, client: { bytes: 4 * MB, ms: 170 } },
    ],
  ])(
    "of %s",
    async (_, stalls) => {
      const bytes = 30 * MB;
      const clients = [plain, rekeying].flatMap((jump) =>
        CIPHERS.map((cipher) => transfer({ jump, bytes, cipher, ...stalls })),
      );
      await Promise.all(clients);
    },
    DEADLINE_MS,
  );

  test(
    "of 3 clients whose targets stall, while others break off with all of their window under way",
    async () => {
      await using stuck = await tcpTarget((socket) => socket.pause());
      let over = false;
      let broken = 0;
      const breaking = (async () => {
        while (!over) {
          await using client = await rawClient(plain.port);
          await client.login(plain.clientKey);
          const { id, window } = await client.open("archiver", stuck.port);
          const data = message(MSG.CHANNEL_DATA, id, Buffer.alloc(32 * 1024, broken));
          for (let left = window; left >= 32 * 1024; left -= 32 * 1024) client.send(data);
          await eventually("all to be sent", () => client.socket.writableLength === 0);
          // Half of them have their target break off first.
          if (broken % 2 === 0) for (const socket of stuck.sockets) socket.destroy();
          broken += 1;
        }
      })();
      const target = { bytes: 2 * MB, ms: 60 };
      const clients = CIPHERS.map((cipher) => transfer({ jump: plain, bytes: 50 * MB, cipher, target }));
      await Promise.all(clients).finally(() => {
        over = true;
      });
      await breaking;
      expect(broken).toBeGreaterThan(3);
    },
    DEADLINE_MS,
  );
});

interface Small {
  /** What the client lets the server send at a time. */
  readonly window: number;
  readonly maxPacket: number;
  readonly cipher: string;
  readonly bytes: number;
}

/** From 1 byte to 32 KiB, as often small as large. */
const mixed = (): number => Math.floor(2 ** (Math.random() * 15));

/** Both directions of a channel at once, in packets of all sizes, by a client that keeps its windows small. */
async function smallTransfer(jump: JumpHost, { window, maxPacket, cipher, bytes }: Small): Promise<void> {
  const { target, digests } = await peer(bytes);
  await using _ = target;
  const options: { -readonly [K in keyof RawOptions]: RawOptions[K] } = { cipher };
  await using client = await rawClient(jump.port, options);
  await client.login(jump.clientKey);
  client.send(directTcpip("archiver", target.port, 7, window, maxPacket));
  const confirmation = await client.next(MSG.CHANNEL_OPEN_CONFIRMATION);
  confirmation.uint32();
  const id = confirmation.uint32();
  let mine = confirmation.uint32();
  const packet = confirmation.uint32();

  const down = createHash("sha256");
  let theirs = window;
  let largest = 0;
  let owed = 0;
  let ended = false;
  let said = "";
  const take = (payload: Buffer): void => {
    const fields = new Reader(payload, 1);
    const type = payload[0] ?? 0;
    if (type === MSG.DISCONNECT) {
      fields.uint32();
      said = fields.text();
    } else if (type === MSG.CHANNEL_WINDOW_ADJUST) {
      fields.uint32();
      mine += fields.uint32();
    } else if (type === MSG.CHANNEL_DATA) {
      fields.uint32();
      const data = fields.string();
      down.update(data);
      largest = Math.max(largest, data.length);
      theirs -= data.length;
      owed += data.length;
    } else if (type === MSG.CHANNEL_EOF) {
      ended = true;
    }
  };
  options.onMessage = take;
  // What came with the confirmation is there already.
  for (const payload of client.rest()) take(payload);

  const source = flow();
  for (let left = bytes; left > 0 || !ended; ) {
    if (client.socket.closed || said !== "") throw new Error(`the server ended the connection: ${said}`);
    while (!client.busy) {
      if (owed >= window / 2) {
        client.send(message(MSG.CHANNEL_WINDOW_ADJUST, id, owed));
        theirs += owed;
        owed = 0;
      }
      const length = Math.min(left, mine, packet, mixed());
      if (length <= 0 || client.socket.writableLength > 256 * 1024) break;
      client.send(message(MSG.CHANNEL_DATA, id, source.next(length)));
      mine -= length;
      left -= length;
      if (left === 0) client.send(message(MSG.CHANNEL_EOF, id));
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(theirs).toBeGreaterThanOrEqual(0);
  }
  const there = await digests;
  expect({ up: there.up, down: down.digest("hex") }).toEqual({ up: source.digest(), down: there.down });
  expect(largest).toBeLessThanOrEqual(Math.min(window, maxPacket));
  client.send(message(MSG.CHANNEL_CLOSE, id));
}

describe("with small windows and packets of 1 byte to 32 KiB, both ways at once, every byte arrives in its place", () => {
  test.each([
    [32 * 1024, 32 * 1024, "aes128-gcm@openssh.com", 8],
    [32 * 1024, 32 * 1024, "chacha20-poly1305@openssh.com", 8],
    [32 * 1024, 4_096, "aes256-ctr", 8],
    [32 * 1024, 1_000, "aes128-gcm@openssh.com", 4],
    [100_000, 33, "chacha20-poly1305@openssh.com", 1],
    [40_001, 4_099, "aes128-gcm@openssh.com", 8],
  ] as const)(
    "a window of %i and packets of at most %i bytes with %s: %i MB",
    async (window, maxPacket, cipher, mb) => {
      const bytes = mb * (CI ? MB : MB / 2);
      const all = [plain, rekeying].map((jump) => smallTransfer(jump, { window, maxPacket, cipher, bytes }));
      await Promise.all(all);
    },
    DEADLINE_MS,
  );
});

test("afterwards nothing is left of them", async () => {
  for (const jump of [plain, rekeying]) {
    const count = (msg: string): number => jump.program.log.filter((line) => line.msg === msg).length;
    await eventually(
      "the end of all connections",
      () => count("connection.close") === count("connection.open"),
    );
    expect(count("channel.close")).toBe(count("channel.open"));
    expect(count("channel.open")).toBeGreaterThan(5);
    const ends = jump.program.log.filter(({ msg }) => msg === "channel.close");
    const whole = ends.filter(({ reason }) => reason === "done");
    expect(whole.length).toBeGreaterThan(20);
  }
});
