import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { queryObjects, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import Protocol from "ssh2/lib/protocol/Protocol.js";
import { describe, expect, test } from "vitest";
import { readHostKeys } from "../../src/server/host-keys.ts";
import { GREETING } from "../../src/server/ident.ts";
import { MSG, message, type ProtocolError, Reader } from "../../src/server/protocol.ts";
import { createWire, hasNativeCiphers, type WireHandler } from "../../src/server/wire.ts";
import { systemClock } from "../../src/util/clock.ts";
import { nativeCiphersLeftOut } from "../../src/util/native-ciphers.ts";
import { poll } from "../harness/front-door.ts";
import { sshFolder } from "../harness/ssh.ts";

const NOTHING: WireHandler = {
  write: () => undefined,
  message: () => undefined,
  exchanging: () => undefined,
  ready: () => undefined,
  failed: () => undefined,
};

/** A wire and ssh2's own client, joined in memory. */
async function joined(handler: Partial<WireHandler> = {}) {
  await using folder = await sshFolder();
  const key = await folder.key("host");
  const received: Buffer[] = [];
  const failures: ProtocolError[] = [];
  const log: string[] = [];
  /** Packets of the client that still pass; later ones are kept until all do. */
  let passing = Number.POSITIVE_INFINITY;
  /** Not all ciphers write a packet in one go. */
  let writes = 0;
  let kept: Buffer[] = [];
  const wire = createWire(readHostKeys([{ key: key.privateKey, certificate: undefined }], 0), {
    ...NOTHING,
    write: (bytes) => setImmediate(() => client.parse(Buffer.from(bytes), 0, bytes.length)),
    exchanging: () => log.push("exchanging"),
    ready: () => log.push("ready"),
    failed: (error) => failures.push(error),
    ...handler,
  });
  const client = new Protocol({
    server: false,
    onWrite(bytes) {
      writes += 1;
      if (passing-- > 0) setImmediate(() => wire.receive(Buffer.from(bytes)));
      else kept.push(Buffer.from(bytes));
    },
    onError: (error) => {
      throw error;
    },
    onHandshakeComplete: () => log.push("client ready"),
  });
  const exchangeKeys = client._onPayload;
  client._onPayload = (payload) => {
    if (payload[0] === MSG.KEXINIT) return exchangeKeys(payload);
    received.push(Buffer.from(payload));
    return undefined;
  };
  setImmediate(() => client.parse(GREETING, 0, GREETING.length));
  client.start();
  await poll("both have keys", () => log.includes("ready") && log.includes("client ready"));
  writes = 0;
  client._cipher.encrypt(client._cipher.allocPacket(1).fill(MSG.IGNORE, 5, 6));
  const perPacket = writes;
  const pass = (packets: number): void => {
    passing = packets * perPacket;
    for (const bytes of kept) wire.receive(bytes);
    kept = [];
  };
  return { wire, client, received, failures, log, pass };
}

describe("what wire.ts relies on in ssh2", () => {
  test("is the version it was written for", async () => {
    const file = createRequire(import.meta.url).resolve("ssh2/package.json");
    const { version } = JSON.parse(await readFile(file, "utf8")) as { version: string };
    expect(version, "read ssh2's changes to lib/protocol before changing this").toBe("1.17.0");
  });

  test("are these fields, before and after the key exchange", async () => {
    const fresh = new Protocol({ server: false, onWrite: () => undefined, onError: () => undefined });
    expect(fresh._kexinit).toBeUndefined();
    expect(fresh._skipNextInboundPacket).toBe(false);
    expect(fresh._onPayload).toBeTypeOf("function");

    const { client } = await joined();
    expect(client._kexinit).toBeUndefined();
    expect(client._kex?.sessionID).toBeInstanceOf(Buffer);
    expect(client._kex?.remoteExtInfoEnabled).toBeTypeOf("boolean");
    for (const name of ["convertPublicKey", "computeSecret", "getPublicKey"])
      expect(client._kex).toHaveProperty(name, expect.any(Function));
    expect(client._kex).toHaveProperty("_remoteKexinit");
    expect(client._kex?.negotiated.serverHostKey).toBe("ssh-ed25519");
    expect(client).toHaveProperty("_hostKeys");
    expect(client._identRaw.toString()).toMatch(/^SSH-2\.0-ssh2js/);
    expect(client._remoteIdentRaw?.toString()).toBe("SSH-2.0-lazyssh");
    expect(Object.getOwnPropertyNames(client)).not.toContain("_destruct");
    expect(Protocol.prototype._destruct).toBeTypeOf("function");
    expect(Protocol.prototype.disconnect).toBeTypeOf("function");
    expect(client._decipher?.inSeqno).toBeTypeOf("number");
    expect(client._decipher?._onPayload).toBe(client._onPayload);
  });

  test("is that the payload starts at byte 5 of a packet", async () => {
    const { client } = await joined();
    const packet = client._cipher.allocPacket(100);
    const padding = packet[4] ?? 0;
    expect(packet.readUInt32BE(0)).toBe(1 + 100 + padding);
  });

  test("is the native binding, which this installation has", () => {
    expect(hasNativeCiphers).toBe(!nativeCiphersLeftOut());
  });

  test("are ciphers that do not end the process when they are collected", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const gone = new FinalizationRegistry<undefined>(() => {
      collected += 1;
    });
    let collected = 0;
    for (let n = 0; n < 5; n++) {
      const { wire, client } = await joined();
      gone.register(client._cipher, undefined);
      // What is under way arrives first.
      await new Promise(setImmediate);
      wire.silence();
      client.cleanup();
    }
    await poll("the end of the first", () => {
      collect();
      return collected > 0;
    });
  });
});

describe("the wire", () => {
  test("announces the signature algorithms it accepts, each by its right name", async () => {
    const { received } = await joined();
    const [first] = received;
    if (!first) throw new Error("nothing was received");
    const fields = new Reader(first, 1);
    expect(first[0]).toBe(MSG.EXT_INFO);
    expect([fields.uint32(), fields.text(), fields.text()]).toEqual([
      1,
      "server-sig-algs",
      "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com,rsa-sha2-512,rsa-sha2-256",
    ]);
  });

  test("holds messages back during a key exchange and sends them after it, in order", async () => {
    const { wire, client, received, log, pass } = await joined();
    log.length = 0;
    pass(1);
    client.rekey();
    await poll("the exchange", () => wire.busy());
    expect(log).toEqual(["exchanging"]);
    for (let n = 0; n < 5; n++) wire.send(message(MSG.IGNORE, n));
    await systemClock.sleep(20);
    expect(received.filter((payload) => payload[0] === MSG.IGNORE)).toEqual([]);
    pass(Number.POSITIVE_INFINITY);
    await poll("the messages", () => received.filter((payload) => payload[0] === MSG.IGNORE).length === 5);
    expect(received.slice(-5).map((payload) => payload.readUInt32BE(1))).toEqual([0, 1, 2, 3, 4]);
    expect(wire.busy()).toBe(false);
  });

  test("bounds what it holds back", async () => {
    const { wire, client, failures, pass } = await joined();
    pass(1);
    client.rekey();
    await poll("the exchange", () => wire.busy());
    for (let n = 0; n < 2_000; n++) wire.send(message(MSG.IGNORE, Buffer.alloc(1_000)));
    expect(failures.map(({ message: text }) => text)).toEqual(["too many requests during a key exchange"]);
  });

  test("starts a key exchange when asked, and not another one meanwhile", async () => {
    const { wire, received, log } = await joined();
    log.length = 0;
    wire.rekey();
    wire.rekey();
    expect(wire.busy()).toBe(true);
    wire.send(message(MSG.IGNORE, 7));
    await poll("the exchange", () => log.includes("client ready") && !wire.busy());
    await poll("the message", () => received.some((payload) => payload[0] === MSG.IGNORE));
    expect(log.filter((line) => line !== "client ready")).toEqual(["exchanging", "ready"]);
    expect(log.filter((line) => line === "client ready")).toHaveLength(1);
  });

  test("bounds what it holds back for an exchange that it has started, too", async () => {
    const { wire, failures, pass } = await joined();
    pass(0);
    wire.rekey();
    for (let n = 0; n < 2_000; n++) wire.send(message(MSG.IGNORE, Buffer.alloc(1_000)));
    expect(failures.map(({ message: text }) => text)).toEqual(["too many requests during a key exchange"]);
  });

  test("starts a key exchange after so many bytes in either direction", async () => {
    const { wire, client, log } = await joined();
    const exchanges = () => log.filter((line) => line === "ready").length;
    wire.rekeyAfter(100_000);
    for (let n = 0; n < 10; n++) wire.sendData(0, Buffer.alloc(9_000));
    expect(wire.busy()).toBe(false);
    wire.sendData(0, Buffer.alloc(20_000));
    expect(wire.busy()).toBe(true);
    await poll("the second", () => exchanges() === 2 && log.filter((l) => l === "client ready").length === 2);
    for (let n = 0; n < 10; n++) {
      const packet = client._cipher.allocPacket(11_000);
      packet[5] = MSG.IGNORE;
      client._cipher.encrypt(packet);
    }
    await poll("the third", () => exchanges() === 3);
  });

  test("keeps nothing of an exchange that is over: its keys and its secret", async () => {
    const first = await joined();
    const Exchange = first.client._kex?.constructor;
    if (!Exchange) throw new Error("there was no exchange");
    const kept = () => queryObjects(Exchange, { format: "count" });
    const before = kept();
    const { wire, client, log } = await joined();
    // That of the client, which is all of ssh2.
    expect(kept() - before).toBe(1);
    client.rekey();
    await poll("the second", () => log.filter((line) => line === "ready").length === 2 && !wire.busy());
    await poll("the client's", () => log.filter((line) => line === "client ready").length === 2);
    expect(kept() - before).toBe(1);
    expect(first.wire.sessionId()).toHaveLength(32);
  });

  test("falls silent after it has said why", async () => {
    const { wire, received } = await joined();
    wire.disconnect(11, "the end");
    wire.send(message(MSG.IGNORE, "more"));
    wire.sendData(0, Buffer.from("more"));
    wire.receive(Buffer.from("anything"));
    await poll("the message", () => received.some((payload) => payload[0] === MSG.DISCONNECT));
    const last = received.at(-1);
    expect(last?.[0]).toBe(MSG.DISCONNECT);
    expect(last?.toString()).toContain("the end");
  });
});
