import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HYBRID_KEX, hasHybridKex } from "../../src/server/hybrid-kex.ts";
import { DISCONNECT, MSG, message } from "../../src/server/protocol.ts";
import { type OpenDoor, openDoor } from "../harness/front-door.ts";
import { hybridExchange } from "../harness/hybrid-client.ts";
import { openSsh10, requires } from "../harness/requires.ts";
import { ssh } from "../harness/ssh.ts";
import { echo, type TcpTarget, tcpTarget } from "../harness/tcp.ts";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
/** By the runtime's documentation, while the server tries it out. */
const shouldHave = major > 24 || (major === 24 && minor >= 7);

const openSsh = openSsh10();
const itWith10 = requires(openSsh);

let door: OpenDoor;
let target: TcpTarget;

beforeAll(async () => {
  // Bad keys are offences.
  door = await openDoor({ limits: { penalties: false } });
  target = await tcpTarget(echo);
});
afterAll(async () => {
  await door[Symbol.asyncDispose]();
  await target[Symbol.asyncDispose]();
});

const WARNING = "post-quantum";
const current = async (...options: readonly string[]) => {
  const args = [...options, "-F", await door.config(), "-W", `archiver:${target.port}`, "lazyssh"];
  return ssh(args, { input: "hello", program: openSsh.path });
};

test("the post-quantum key exchange is there from Node 24.7 on", () => {
  expect(hasHybridKex).toBe(shouldHave);
});

test("a client that has no key exchange in common is told so", async () => {
  const kex = "diffie-hellman-group14-sha1";
  const { disconnect } = await hybridExchange(door.port, { hostKeyType: "ssh-ed25519", kex });
  expect(disconnect?.code).toBe(DISCONNECT.KEY_EXCHANGE_FAILED);
  expect(disconnect?.text).toContain("no matching key exchange algorithm");
});

test.each([
  ["before its proposal", { before: message(MSG.IGNORE, "") }, "KEXINIT not first packet in strict KEX mode"],
  ["after it", { after: message(MSG.IGNORE, "") }, "unexpected packet type 2"],
])("with strict key exchange, anything %s ends the connection", async (_, where, text) => {
  const kex = "curve25519-sha256,kex-strict-c-v00@openssh.com";
  const { disconnect } = await hybridExchange(door.port, { hostKeyType: "ssh-ed25519", kex, ...where });
  expect(disconnect?.code).toBe(DISCONNECT.KEY_EXCHANGE_FAILED);
  expect(disconnect?.text).toContain(text);
});

describe.runIf(shouldHave)("where the runtime has ML-KEM", () => {
  test("nothing is said of it at start", () => {
    expect(door.events.filter(({ type }) => type === "server.notice")).toEqual([]);
  });

  test("a client written from the draft comes to the same hash, secret and keys", async () => {
    const exchange = await hybridExchange(door.port, { hostKeyType: "ssh-ed25519" });
    expect(exchange).toMatchObject({ reply: 1088 + 32, signed: true, disconnect: undefined });
    expect(exchange.firstMessage?.[0]).toBe(MSG.EXT_INFO);
    expect(exchange.firstMessage?.toString("latin1")).toContain("server-sig-algs");
  });

  test.each([
    ["too short", (init: Buffer) => init.subarray(1), "the key of the client has 1215 bytes, not 1216"],
    ["too long", (init: Buffer) => Buffer.concat([init, Buffer.of(0)]), "1217 bytes, not 1216"],
    ["empty", () => Buffer.alloc(0), "0 bytes, not 1216"],
    ["an X25519 key alone", (init: Buffer) => init.subarray(1184), "32 bytes, not 1216"],
    // FIPS 203 §7.2: coefficients are below 3329.
    ["an ML-KEM key out of range", (init: Buffer) => Buffer.from(init).fill(255, 0, 96), "is none"],
    ["an X25519 key of order one", (init: Buffer) => Buffer.from(init).fill(0, 1184), "is none"],
  ])("a client's key that is %s ends the connection in words", async (_, spoil, text) => {
    const { disconnect } = await hybridExchange(door.port, { hostKeyType: "ssh-ed25519", spoil });
    expect(disconnect?.code).toBe(DISCONNECT.KEY_EXCHANGE_FAILED);
    expect(disconnect?.text).toMatch(/^the key exchange failed: /);
    expect(disconnect?.text).toContain(text);
  });

  itWith10("a current OpenSSH uses it of itself, and warns of nothing", async () => {
    const loud = await current("-v");
    expect(loud.stdout.toString()).toBe("hello");
    expect(loud.stderr).toContain(`kex: algorithm: ${HYBRID_KEX}`);
    const quiet = await current();
    expect(quiet).toMatchObject({ code: 0, stderr: "" });
  });

  itWith10("a current OpenSSH may exchange keys again with it", async () => {
    const input = Buffer.alloc(8 * 1024 * 1024, "lazyssh");
    const args = ["-v", "-o", "RekeyLimit=1M", "-F", await door.config()];
    const to = ["-W", `archiver:${target.port}`, "lazyssh"];
    const result = await ssh([...args, ...to], { input, program: openSsh.path });
    expect(result.stdout.equals(input)).toBe(true);
    expect(result.stderr.match(new RegExp(`kex: algorithm: ${HYBRID_KEX}`, "g"))?.length).toBeGreaterThan(4);
  });

  itWith10("one who does not want it has X25519 alone", async () => {
    const result = await current("-v", "-o", `KexAlgorithms=-${HYBRID_KEX}`);
    expect(result.stdout.toString()).toBe("hello");
    expect(result.stderr).toContain("kex: algorithm: curve25519-sha256");
  });
});

describe.runIf(!shouldHave)("where the runtime has no ML-KEM", () => {
  test("it is said at start, with the Node that brings it", () => {
    expect(door.events.filter(({ type }) => type === "server.notice")).toEqual([
      {
        type: "server.notice",
        reason: expect.stringMatching(/mlkem768x25519-sha256.*Node 24\.7 or later/) as string,
      },
    ]);
  });

  itWith10("a current OpenSSH comes in with X25519 alone", async () => {
    const result = await current("-v");
    expect(result.stdout.toString()).toBe("hello");
    expect(result.stderr).toContain("kex: algorithm: curve25519-sha256");
  });

  itWith10("one who wants nothing else is told so", async () => {
    const result = await current("-o", `KexAlgorithms=${HYBRID_KEX}`);
    expect(result.code).toBe(255);
    expect(result.stderr).toContain("no matching key exchange method found");
    expect(result.stderr).not.toContain(WARNING);
  });
});
