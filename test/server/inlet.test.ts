import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import Protocol from "ssh2/lib/protocol/Protocol.js";
import { describe, expect, test } from "vitest";
import { readHostKeys } from "../../src/server/host-keys.ts";
import { GREETING } from "../../src/server/ident.ts";
import { type Release, readInto } from "../../src/server/inlet.ts";
import { MSG, message } from "../../src/server/protocol.ts";
import { createWire } from "../../src/server/wire.ts";
import { poll } from "../harness/front-door.ts";
import { sshFolder } from "../harness/ssh.ts";

const MB = 1024 * 1024;

/** A server that reads as the front door does, and one client of it. */
async function joined(onRead: (chunk: Buffer, hold: () => Release) => boolean) {
  const server = createServer({ pauseOnConnect: true });
  const reading = new Promise<Socket>((resolve) => {
    server.once("connection", (accepted) => {
      const socket: Socket = readInto(accepted, onRead);
      resolve(socket);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const client = connect(typeof address === "object" && address ? address.port : 0, "127.0.0.1");
  await once(client, "connect");
  return { server, client, socket: await reading };
}

describe("an inlet", () => {
  test("reads everything, and ends as the connection does", async () => {
    const sent = randomBytes(20 * MB);
    const hash = createHash("sha256");
    let got = 0;
    const { server, client, socket } = await joined((chunk) => {
      hash.update(chunk);
      got += chunk.length;
      return false;
    });
    const ended = once(socket, "end");
    client.end(sent);
    await ended;
    expect(got).toBe(sent.length);
    expect(hash.digest("hex")).toBe(createHash("sha256").update(sent).digest("hex"));
    // The server knows of the end too: it would wait for connections that it believes to be open.
    server.close();
    await once(server, "close");
  });

  test("takes over from one who has read the beginning", async () => {
    const server = createServer();
    const rest: Buffer[] = [];
    let first = "";
    const over = new Promise<void>((resolve) => {
      server.once("connection", (accepted) => {
        accepted.once("data", (chunk: Buffer) => {
          first = chunk.toString();
          const socket = readInto(accepted, (later) => rest.push(Buffer.from(later)) < 0);
          socket.once("close", resolve);
          socket.write("go on");
        });
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const client = connect(typeof address === "object" && address ? address.port : 0, "127.0.0.1");
    client.write("hello");
    await once(client, "data");
    const sent = randomBytes(MB);
    client.end(sent);
    await over;
    expect(first).toBe("hello");
    expect(Buffer.concat(rest).equals(sent)).toBe(true);
    server.close();
    await once(server, "close");
  });

  test("leaves alone what is kept", async () => {
    const kept: Buffer[] = [];
    const { server, client, socket } = await joined((chunk) => {
      kept.push(chunk);
      return true;
    });
    const sent = randomBytes(3 * MB);
    const ended = once(socket, "end");
    client.end(sent);
    await ended;
    expect(Buffer.concat(kept).equals(sent)).toBe(true);
    server.close();
  });

  test("leaves alone what is held, until it is not, and then reads into it again", async () => {
    const sent = randomBytes(8 * MB);
    const held: { chunk: Buffer; release: Release }[] = [];
    const buffers = new Set<ArrayBufferLike>();
    const got: Buffer[] = [];
    const letGo = (): void => {
      for (const { chunk, release } of held.splice(0)) {
        got.push(Buffer.from(chunk));
        release();
      }
    };
    const { server, client, socket } = await joined((chunk, hold) => {
      buffers.add(chunk.buffer);
      held.push({ chunk, release: hold() });
      if (held.length === 2) letGo();
      return false;
    });
    const ended = once(socket, "end");
    client.end(sent);
    await ended;
    letGo();
    expect(Buffer.concat(got).equals(sent)).toBe(true);
    // Small ones in the beginning; then two or three large ones in turn.
    expect([...buffers].filter(({ byteLength }) => byteLength > 4096).length).toBeLessThanOrEqual(4);
    server.close();
  });

  test("reads in large pieces who sends much, into a buffer that is used again, and in small ones who rests", async () => {
    const sizes = new Set<number>();
    const buffers = new Set<ArrayBufferLike>();
    const { server, client, socket } = await joined((chunk) => {
      sizes.add(chunk.buffer.byteLength);
      buffers.add(chunk.buffer);
      return false;
    });
    client.write(randomBytes(20 * MB));
    await poll("all read", () => socket.bytesRead === 20 * MB);
    expect([...sizes].sort((a, b) => a - b)).toEqual([4096, 256 * 1024]);
    expect(buffers.size).toBe(2);
    for (let n = 0; n < 80; n++) {
      client.write("still there");
      await poll("read", () => socket.bytesRead >= 20 * MB + 11 * (n + 1));
    }
    sizes.clear();
    client.write("still there");
    await poll("read again", () => sizes.size > 0);
    expect([...sizes]).toEqual([4096]);
    client.destroy();
    server.close();
  });

  test("can be stopped and goes on", async () => {
    const { server, client, socket } = await joined(() => false);
    const ended = once(socket, "end");
    socket.pause();
    client.end(randomBytes(MB));
    await new Promise((resolve) => setImmediate(resolve));
    const before = socket.bytesRead;
    expect(before).toBeLessThan(MB);
    socket.resume();
    await ended;
    expect(socket.bytesRead).toBe(MB);
    server.close();
  });
});

/** A client's bytes, and a wire that takes them. */
async function encrypted(cipher: string) {
  await using folder = await sshFolder();
  const key = await folder.key("host");
  const received: Buffer[] = [];
  const sent: Buffer[] = [];
  let direct = true;
  let ready = 0;
  const wire = createWire(readHostKeys([{ key: key.privateKey, certificate: undefined }], Date.now()), {
    write: (bytes) => setImmediate(() => client.parse(Buffer.from(bytes), 0, bytes.length)),
    message: (payload) => received.push(Buffer.from(payload)),
    exchanging: () => undefined,
    ready: () => ready++,
    failed: (error) => {
      throw error;
    },
  });
  const direction = {
    cipher: [cipher],
    mac: ["hmac-sha2-256-etm@openssh.com"],
    compress: ["none"],
    lang: [],
  };
  const client = new Protocol({
    server: false,
    offer: { kex: ["curve25519-sha256"], serverHostKey: ["ssh-ed25519"], cs: direction, sc: direction },
    onWrite(bytes) {
      if (direct) setImmediate(() => wire.receive(Buffer.from(bytes)));
      else sent.push(Buffer.from(bytes));
    },
    onError: (error) => {
      throw error;
    },
    onHandshakeComplete: () => ready++,
  });
  client._onPayload = (
    (exchange) => (payload: Buffer) =>
      payload[0] === MSG.KEXINIT ? exchange(payload) : undefined
  )(client._onPayload);
  setImmediate(() => client.parse(GREETING, 0, GREETING.length));
  client.start();
  await poll("both have keys", () => ready === 2);
  direct = false;
  const send = (payload: Buffer): void => {
    const packet = client._cipher.allocPacket(payload.length);
    packet.set(payload, 5);
    client._cipher.encrypt(packet);
  };
  return { wire, send, sent, received };
}

describe.each(["aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes128-ctr"])(
  "what comes by %s into a buffer that is used again",
  (cipher) => {
    test("is read right, wherever it is cut", async () => {
      const { wire, send, sent, received } = await encrypted(cipher);
      const payloads = Array.from({ length: 300 }, (_, n) =>
        message(MSG.IGNORE, randomBytes(20 + 40 * (n % 5))),
      );
      for (const payload of payloads) send(payload);
      const bytes = Buffer.concat(sent);
      const buffer = Buffer.alloc(1024);
      // Each length of piece in turn, so that packets are cut at every place that there is.
      for (let at = 0, piece = 1; at < bytes.length; at += piece, piece = (piece % 400) + 1) {
        const length = bytes.copy(buffer, 0, at, Math.min(at + piece, bytes.length));
        expect(wire.receive(buffer.subarray(0, length))).toBe(false);
        buffer.fill(0xaa);
      }
      expect(received.map((payload) => payload.toString("hex"))).toEqual(
        payloads.map((payload) => payload.toString("hex")),
      );
    });
  },
);
