import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AuthRequest, decide, type OfferedKey } from "../../src/server/auth.ts";
import { fingerprint } from "../../src/server/public-key.ts";
import { authorizedKey, userConfig } from "../harness/server-config.ts";
import { type SignOptions, signatureOf } from "../harness/sign.ts";
import { type KeyFiles, type SshFolder, sshFolder } from "../harness/ssh.ts";

const signed = randomBytes(100);
let folder: SshFolder;
const keys: Record<string, KeyFiles> = {};

beforeAll(async () => {
  folder = await sshFolder();
  keys.ed25519 = await folder.key("ed25519");
  keys.other = await folder.key("other");
  keys.nistp256 = await folder.key("nistp256", "ecdsa", 256);
  keys.nistp384 = await folder.key("nistp384", "ecdsa", 384);
  keys.nistp521 = await folder.key("nistp521", "ecdsa", 521);
  keys.rsa = await folder.key("rsa", "rsa", 2048);
  keys.shortRsa = await folder.key("short", "rsa", 1024);
}, 60_000);
afterAll(() => folder[Symbol.asyncDispose]());

const keyOf = (name: string): KeyFiles => {
  const key = keys[name];
  if (!key) throw new Error(`no key ${name}`);
  return key;
};

const offer = (key: KeyFiles, algorithm: string, options: SignOptions = {}): OfferedKey => ({
  algorithm,
  blob: key.blob,
  proof: { signed, signature: signatureOf(key, algorithm, signed, options) },
});

const login = (key: OfferedKey, user = "jump"): AuthRequest => ({ user, method: "publickey", key });

const answer = (request: AuthRequest, authorized: KeyFiles) =>
  decide(request, {
    users: [userConfig("jump", [authorizedKey(authorized)])],
    revoked: { keys: new Set(), serials: [], ids: [] },
    now: Date.now(),
    address: "192.0.2.7",
  });

describe("the authorized key", () => {
  test.each([
    ["ed25519", "ssh-ed25519"],
    ["nistp256", "ecdsa-sha2-nistp256"],
    ["nistp384", "ecdsa-sha2-nistp384"],
    ["nistp521", "ecdsa-sha2-nistp521"],
    ["rsa", "rsa-sha2-256"],
    ["rsa", "rsa-sha2-512"],
  ])("%s logs in with a signature by %s", (name, algorithm) => {
    const key = keyOf(name);
    expect(answer(login(offer(key, algorithm)), key)).toMatchObject({
      kind: "accept",
      identity: { user: "jump", key: fingerprint(key.blob) },
      boot: undefined,
    });
  });

  test.each(["archiver", "a+b", "boot+x", "ärchiv", " "])("may name a target to be booted: %j", (target) => {
    const key = keyOf("ed25519");
    const user = `boot+${target}`;
    expect(answer(login(offer(key, "ssh-ed25519"), user), key)).toMatchObject({
      kind: "accept",
      identity: { user: "jump", key: fingerprint(key.blob) },
      boot: target,
    });
    // Not before the key has proved itself.
    expect(answer(login({ algorithm: "ssh-ed25519", blob: key.blob }, user), key).kind).toBe("prove");
  });

  test.each([
    ["ed25519", "ssh-ed25519"],
    ["rsa", "rsa-sha2-256"],
    ["rsa", "rsa-sha2-512"],
  ])("%s is asked to sign with the very algorithm that was named, %s", (name, algorithm) => {
    const { blob } = keyOf(name);
    const query = login({ algorithm, blob });
    expect(answer(query, keyOf(name))).toEqual({ kind: "prove", algorithm, blob });
  });
});

describe("nobody else", () => {
  const rejected = (request: AuthRequest, authorized = keyOf("ed25519")): string => {
    const decision = answer(request, authorized);
    if (decision.kind !== "reject") throw new Error(`not rejected but ${decision.kind}`);
    return decision.reason;
  };

  test.each(["none", "password", "keyboard-interactive", "hostbased", "", "publickey "])(
    "by method %j",
    (method) => {
      expect(rejected({ user: "jump", method })).toBe(`method "${method}" is not offered`);
    },
  );

  test.each(["root", "", "Jump", "jump ", "jump\u0000", "boot", "boot+", "Boot+archiver", " boot+archiver"])(
    "as user %j",
    (user) => {
      const key = keyOf("ed25519");
      expect(rejected(login(offer(key, "ssh-ed25519"), user))).toContain(`there is no user "${user}"`);
      expect(rejected(login({ algorithm: "ssh-ed25519", blob: key.blob }, user))).toContain(
        "there is no user",
      );
    },
  );

  test("with another key, asked or signed", () => {
    const other = keyOf("other");
    const reason = `key ${fingerprint(other.blob)} is not authorized`;
    expect(rejected(login(offer(other, "ssh-ed25519")))).toBe(reason);
    expect(rejected(login({ algorithm: "ssh-ed25519", blob: other.blob }))).toBe(reason);
  });

  test.each([
    ["rsa", "ssh-rsa"],
    ["ed25519", "ssh-dss"],
    ["rsa", "ssh-rsa-cert-v01@openssh.com"],
    ["ed25519", ""],
    ["ed25519", "__proto__"],
  ])("%s under the algorithm name %j", (name, algorithm) => {
    const key = keyOf(name);
    expect(rejected(login({ algorithm, blob: key.blob }), key)).toBe(
      `signature algorithm "${algorithm}" is not accepted`,
    );
  });

  test.each([
    ["ed25519", "rsa-sha2-512"],
    ["rsa", "ssh-ed25519"],
    ["nistp256", "ecdsa-sha2-nistp384"],
    ["nistp521", "ssh-ed25519"],
    ["ed25519", "ssh-ed25519-cert-v01@openssh.com"],
  ])("%s when the request claims %s", (name, algorithm) => {
    const key = keyOf(name);
    const proof = { signed, signature: randomBytes(64) };
    expect(rejected(login({ algorithm, blob: key.blob, proof }), key)).toBe(
      `the key is not one for "${algorithm}"`,
    );
  });

  test.each([
    [
      "by another key",
      (): OfferedKey => ({ ...offer(keyOf("other"), "ssh-ed25519"), blob: keyOf("ed25519").blob }),
    ],
    ["of other data", (): OfferedKey => offer(keyOf("ed25519"), "ssh-ed25519", { data: randomBytes(100) })],
    ["named otherwise", (): OfferedKey => offer(keyOf("ed25519"), "ssh-ed25519", { name: "rsa-sha2-256" })],
    [
      "with a byte behind it",
      (): OfferedKey => offer(keyOf("ed25519"), "ssh-ed25519", { trailing: Buffer.of(0) }),
    ],
    ["that is empty", (): OfferedKey => offer(keyOf("ed25519"), "ssh-ed25519", { bytes: Buffer.alloc(0) })],
    ["of zeros", (): OfferedKey => offer(keyOf("ed25519"), "ssh-ed25519", { bytes: Buffer.alloc(64) })],
  ])("with a signature %s", (_, forged) => {
    expect(rejected(login(forged()))).toContain("the signature by key");
  });

  test.each([
    ["the other hash", "rsa", "rsa-sha2-256", { hash: "sha512" }],
    ["SHA-1", "rsa", "rsa-sha2-256", { hash: "sha1" }],
    ["another algorithm's name", "rsa", "rsa-sha2-512", { name: "rsa-sha2-256" }],
    ["numbers of zero", "nistp256", "ecdsa-sha2-nistp256", { bytes: Buffer.alloc(8) }],
    ["numbers too long", "nistp256", "ecdsa-sha2-nistp256", { bytes: Buffer.alloc(300, 1) }],
  ])("with %s", (_, name, algorithm, options) => {
    const key = keyOf(name);
    expect(rejected(login(offer(key, algorithm, options)), key)).toContain("the signature by key");
  });

  test("with an RSA key of 1024 bits, which is not even asked to sign", () => {
    const { blob } = keyOf("shortRsa");
    expect(rejected(login({ algorithm: "rsa-sha2-512", blob }), keyOf("shortRsa"))).toBe(
      `key ${fingerprint(blob)} cannot be used: an RSA key of 1024 bits can be broken, 2048 are needed`,
    );
  });

  test("with a blob that is no key", () => {
    for (const blob of [Buffer.alloc(0), Buffer.of(255, 255, 255, 255), randomBytes(40)]) {
      expect(rejected(login({ algorithm: "ssh-ed25519", blob }))).toBe(
        'the key is not one for "ssh-ed25519"',
      );
    }
  });
});
