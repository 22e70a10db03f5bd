import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HostKeyConfig } from "../../src/config/access.ts";
import { readHostKeys } from "../../src/server/host-keys.ts";
import { MSG, message, Reader } from "../../src/server/protocol.ts";
import { systemClock } from "../../src/util/clock.ts";
import { hostCertificate, userCertificate } from "../harness/certificates.ts";
import { type OpenDoor, openDoor, poll } from "../harness/front-door.ts";
import { rawClient } from "../harness/raw-client.ts";
import { isSignedBy } from "../harness/sign.ts";
import { type KeyFiles, type SshFolder, ssh, sshFolder, startSsh } from "../harness/ssh.ts";
import { echo, type TcpTarget, tcpTarget } from "../harness/tcp.ts";

const NOW = Date.UTC(2030, 0, 1);
const YEARS = "20200101000000Z:20400101000000Z";
const TYPES = ["ed25519", "ecdsa", "rsa"] as const;

let folder: SshFolder;
let target: TcpTarget;
let authority: KeyFiles;
let keys: Readonly<Record<(typeof TYPES)[number], KeyFiles>>;

beforeAll(async () => {
  folder = await sshFolder();
  target = await tcpTarget(echo);
  authority = await folder.key("authority");
  const key = (type: (typeof TYPES)[number]) => folder.key(type, type);
  keys = { ed25519: await key("ed25519"), ecdsa: await key("ecdsa"), rsa: await key("rsa") };
});
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
  await target[Symbol.asyncDispose]();
});

const plain = (key: KeyFiles): HostKeyConfig => ({ key: key.privateKey, certificate: undefined });

/** What a client with these lines in its known_hosts says on its way through the door. */
async function through(door: OpenDoor, known: readonly string[], ...options: readonly string[]) {
  const file = join(door.folder.path, "known");
  await writeFile(file, known.map((line) => `${line}\n`).join(""));
  const own = ["-o", `UserKnownHostsFile=${file}`, ...options];
  const config = await door.config();
  return ssh(["-v", ...own, "-F", config, "-W", `archiver:${target.port}`, "lazyssh"], { input: "hello" });
}

const line = (door: OpenDoor, key: KeyFiles): string =>
  `[127.0.0.1]:${door.port} ${key.type} ${key.blob.toString("base64")}`;

const trusting = (authorityKey: KeyFiles, pattern = "*"): string =>
  `@cert-authority ${pattern} ${authorityKey.publicLine}`;

describe("several host keys", () => {
  let door: OpenDoor;
  beforeAll(async () => {
    const hostKeys = [plain(keys.ed25519), plain(keys.ecdsa), plain(keys.rsa)];
    door = await openDoor({ config: { hostKeys } });
  });
  afterAll(() => door[Symbol.asyncDispose]());

  test.each(TYPES)("serve a client that knows the one of type %s only", async (type) => {
    const result = await through(door, [line(door, keys[type])]);
    expect(result.stdout.toString()).toBe("hello");
  });

  test.each(["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256"])(
    "serve a client that wants %s",
    async (algorithm) => {
      const known = TYPES.map((type) => line(door, keys[type]));
      const result = await through(door, known, "-o", `HostKeyAlgorithms=${algorithm}`);
      expect(result.stdout.toString()).toBe("hello");
      expect(result.stderr).toContain(`kex: host key algorithm: ${algorithm}`);
    },
  );

  test.each([
    ["ed25519", undefined],
    ["ecdsa", 256],
    ["ecdsa", 384],
    ["ecdsa", 521],
    ["rsa", 2048],
  ] as const)("of type %s %s sign what verifies, every time", async (type, bits) => {
    const key = await folder.key(`signs-${type}-${bits}`, type, bits);
    const { proofs } = readHostKeys([plain(key)], NOW);
    for (const { key: hostKey, algorithm } of proofs.values()) {
      // Numbers with leading zeros come once in 256.
      for (let n = 0; n < (type === "rsa" ? 20 : 400); n++) {
        const data = Buffer.from(`data ${n}`);
        const signature = message(0, algorithm, hostKey.sign(algorithm, data)).subarray(1);
        expect(isSignedBy(algorithm, key.blob, signature, data)).toBe(true);
      }
    }
  });

  test("sign nothing with SHA-1", async () => {
    const result = await through(door, [line(door, keys.rsa)], "-o", "HostKeyAlgorithms=ssh-rsa");
    expect(result.code).toBe(255);
    expect(result.stderr).toContain("no matching host key type found");
  });
});

describe("a host certificate", () => {
  test.each(TYPES)(
    "of a key of type %s is all that a client needs who trusts its authority",
    async (type) => {
      const certificate = await hostCertificate(authority, keys[type]);
      await using door = await openDoor({ config: { hostKeys: [{ ...plain(keys[type]), certificate }] } });
      const result = await through(door, [trusting(authority)]);
      expect(result.stdout.toString()).toBe("hello");
      expect(result.stderr).toContain(`Server host certificate: ${certificate.type}`);
      // Who knows the key itself need not know the authority.
      const known = await through(door, [line(door, keys[type])]);
      expect(known.stdout.toString()).toBe("hello");
    },
  );

  test.each(["rsa-sha2-512", "rsa-sha2-256"])("of an RSA key is proved with %s", async (algorithm) => {
    const certificate = await hostCertificate(authority, keys.rsa);
    await using door = await openDoor({ config: { hostKeys: [{ ...plain(keys.rsa), certificate }] } });
    const wanted = `${algorithm}-cert-v01@openssh.com`;
    const result = await through(door, [trusting(authority)], "-o", `HostKeyAlgorithms=${wanted}`);
    expect(result.stdout.toString()).toBe("hello");
    expect(result.stderr).toContain(`kex: host key algorithm: ${wanted}`);
  });

  test("is proved again when keys are exchanged anew", async () => {
    const certificate = await hostCertificate(authority, keys.rsa);
    const hostKeys = [{ ...plain(keys.rsa), certificate }];
    await using door = await openDoor({
      config: { hostKeys },
      limits: { rekeyMs: 50, keepaliveMs: 90, deadAfterMs: 30_000 },
    });
    await writeFile(join(folder.path, "known"), `${trusting(authority)}\n`);
    const config = ["-F", await door.config(), "-o", `UserKnownHostsFile=${join(folder.path, "known")}`];
    const client = startSsh(["-v", ...config, "-W", `archiver:${target.port}`, "lazyssh"]);
    await poll(
      "three exchanges",
      () => (client.stderr().match(/SSH2_MSG_NEWKEYS received/g)?.length ?? 0) >= 3,
    );
    client.child.stdin?.end("hello");
    expect((await client.result).stdout.toString()).toBe("hello");
  });

  test.each([
    ["rsa", "rsa-sha2-512"],
    ["rsa", "rsa-sha2-256"],
    ["ecdsa", "ecdsa-sha2-nistp256"],
  ] as const)("may be signed by an authority of type %s with %s", async (type, algorithm) => {
    const other = await folder.key(`authority-${algorithm}`, type);
    const signed = type === "rsa" ? ["-t", algorithm] : [];
    const certificate = await hostCertificate(other, keys.ed25519, ...signed);
    await using door = await openDoor({ config: { hostKeys: [{ ...plain(keys.ed25519), certificate }] } });
    const result = await through(door, [trusting(other)]);
    expect(result.stdout.toString()).toBe("hello");
  });

  test("of another name is not accepted by the client", async () => {
    const certificate = await hostCertificate(authority, keys.ed25519, "-n", "elsewhere.example");
    await using door = await openDoor({ config: { hostKeys: [{ ...plain(keys.ed25519), certificate }] } });
    const result = await through(door, [trusting(authority)]);
    expect(result.code).toBe(255);
    expect(result.stderr).toContain("Host key verification failed");
  });

  test("that has expired is not shown, which is a warning: the key itself still is", async () => {
    const certificate = await hostCertificate(
      authority,
      keys.ed25519,
      "-V",
      "20200101000000Z:20200201000000Z",
    );
    await using door = await openDoor({ config: { hostKeys: [{ ...plain(keys.ed25519), certificate }] } });
    const { reason } = await door.event("server.warning", (event) => event.reason.includes("certificate"));
    expect(reason).toMatch(
      /^the certificate of host key SHA256:\S+ expired at 2020-02-01T00:00:00.000Z; the plain key is used: renew it/,
    );
    const result = await through(door, [trusting(authority), line(door, keys.ed25519)]);
    expect(result.stdout.toString()).toBe("hello");
    expect(result.stderr).not.toContain("Server host certificate");
  });

  test("that is not valid yet is treated alike", async () => {
    const certificate = await hostCertificate(
      authority,
      keys.ed25519,
      "-V",
      "20350101000000Z:20400101000000Z",
    );
    const { proofs, warnings } = readHostKeys([{ ...plain(keys.ed25519), certificate }], NOW);
    expect([...proofs.keys()]).toEqual(["ssh-ed25519"]);
    expect(warnings).toEqual([expect.stringContaining("is not valid before 2035-01-01T00:00:00.000Z")]);
  });

  test("comes before its key in what is offered, and without an end it needs no warning", async () => {
    const certificate = await hostCertificate(authority, keys.rsa);
    const read = readHostKeys([{ ...plain(keys.rsa), certificate }, plain(keys.ed25519)], NOW);
    expect(read.warnings).toEqual([]);
    expect([...read.proofs.keys()]).toEqual([
      "rsa-sha2-512-cert-v01@openssh.com",
      "rsa-sha2-256-cert-v01@openssh.com",
      "rsa-sha2-512",
      "rsa-sha2-256",
      "ssh-ed25519",
    ]);
  });
});

describe("a host key that can never do is a mistake in the config", () => {
  const reading = (config: HostKeyConfig): string => {
    try {
      readHostKeys([config], NOW);
      return "good";
    } catch (error) {
      expect(error).toMatchObject({ code: "CONFIG_INVALID" });
      return error instanceof Error ? error.message : "";
    }
  };
  const certified = async (make: () => Promise<{ blob: Buffer }>): Promise<string> => {
    const { blob } = await make();
    return reading({ ...plain(keys.ed25519), certificate: { type: "", blob, comment: "" } });
  };

  test("an RSA key that is too short", async () => {
    const short = await folder.key("short", "rsa", 1024);
    expect(reading(plain(short))).toContain("has 1024 bits, and 2048 are the least");
  });

  test("a certificate of a user, of another key, or with a wrong signature", async () => {
    const good = await hostCertificate(authority, keys.ed25519, "-V", YEARS);
    expect(await certified(() => Promise.resolve(good))).toBe("good");
    expect(await certified(() => userCertificate(authority, keys.ed25519))).toContain(
      "is not one of a host: sign it with `ssh-keygen -h`",
    );
    const another = await folder.key("another");
    expect(await certified(() => hostCertificate(authority, another))).toContain("is of another key");
    expect(await certified(() => hostCertificate(authority, keys.ecdsa))).toContain("is of another key");
    const forged = Buffer.from(good.blob);
    forged.writeUInt8(forged.readUInt8(forged.length - 1) ^ 1, forged.length - 1);
    expect(await certified(() => Promise.resolve({ blob: forged }))).toContain("has a wrong signature");
    // The nonce.
    const changed = Buffer.from(good.blob);
    changed.writeUInt8(changed.readUInt8(50) ^ 1, 50);
    expect(await certified(() => Promise.resolve({ blob: changed }))).toContain("has a wrong signature");
  });

  test("a certificate that is damaged at any byte, or cut off", async () => {
    const { blob } = await hostCertificate(authority, keys.ed25519, "-V", YEARS);
    for (let length = 0; length < blob.length; length++) {
      expect(await certified(() => Promise.resolve({ blob: blob.subarray(0, length) }))).not.toBe("good");
      const damaged = Buffer.from(blob);
      damaged.writeUInt8(damaged.readUInt8(length) ^ 1, length);
      expect(await certified(() => Promise.resolve({ blob: damaged }))).not.toBe("good");
    }
    const longer = Buffer.concat([blob, Buffer.of(0)]);
    expect(await certified(() => Promise.resolve({ blob: longer }))).not.toBe("good");
  });

  test("a certificate whose authority signs with SHA-1", async () => {
    const rsa = await folder.key("authority-sha1", "rsa");
    expect(await certified(() => hostCertificate(rsa, keys.ed25519, "-t", "ssh-rsa"))).toContain(
      "is signed by ssh-rsa, which clients do not accept",
    );
  });

  test("a plain key in place of a certificate", async () => {
    expect(await certified(() => Promise.resolve(keys.ed25519))).toContain("it has the type ssh-ed25519");
  });
});

describe("the next host key", () => {
  test("is learned by a client before the present one goes, and one that is gone is forgotten", async () => {
    const next = await folder.key("next", "rsa");
    const gone = await folder.key("gone", "ecdsa");
    await using door = await openDoor({
      config: { hostKeys: [plain(keys.ed25519), plain(next), plain(keys.ecdsa)] },
    });
    const known = join(door.folder.path, "known");
    await appendFile(known, `${line(door, gone)}\n${line(door, keys.ed25519)}\n`);
    const own = ["-o", `UserKnownHostsFile=${known}`, "-o", "UpdateHostKeys=yes"];
    const args = [...own, "-F", await door.config(), "-W", `archiver:${target.port}`, "lazyssh"];
    const client = startSsh(args);
    const has = async (key: KeyFiles) =>
      (await readFile(known, "utf8")).includes(key.blob.toString("base64"));
    for (const until = Date.now() + 20_000; !((await has(next)) && (await has(keys.ecdsa))); ) {
      if (client.child.exitCode !== null || Date.now() > until) throw new Error(client.stderr());
      await systemClock.sleep(10);
    }
    expect(await has(gone)).toBe(false);
    client.child.stdin?.end();
    expect((await client.result).code).toBe(0);
    // And with the new one alone.
    const result = await through(door, [line(door, next)]);
    expect(result.stdout.toString()).toBe("hello");
  });

  const prove = (...blobs: readonly Buffer[]): Buffer =>
    message(MSG.GLOBAL_REQUEST, "hostkeys-prove-00@openssh.com", true, ...blobs);

  test("is proved for the session, with what RSA keys sign today", async () => {
    await using door = await openDoor({ config: { hostKeys: TYPES.map((type) => plain(keys[type])) } });
    await using client = await rawClient(door.port);
    await client.login(door.clientKey);
    client.send(prove(keys.rsa.blob, keys.ecdsa.blob));
    const fields = await client.next(MSG.REQUEST_SUCCESS);
    for (const [key, algorithm] of [
      [keys.rsa, "rsa-sha2-512"],
      [keys.ecdsa, "ecdsa-sha2-nistp256"],
    ] as const) {
      const data = message(0, "hostkeys-prove-00@openssh.com", client.sessionId, key.blob).subarray(1);
      expect(isSignedBy(algorithm, key.blob, Buffer.from(fields.string()), data)).toBe(true);
    }
    expect(fields.atEnd).toBe(true);
    client.send(prove(keys.rsa.blob));
    await client.next(MSG.REQUEST_FAILURE);
  });

  test("is not proved when others are asked about too, or when nothing is", async () => {
    await using door = await openDoor({ config: { hostKeys: TYPES.map((type) => plain(keys[type])) } });
    await using client = await rawClient(door.port);
    await client.login(door.clientKey);
    for (const wrong of [
      [],
      [authority.blob],
      [keys.rsa.blob, authority.blob],
      [keys.rsa.blob, keys.rsa.blob],
    ]) {
      client.send(prove(...wrong));
      await client.next(MSG.REQUEST_FAILURE);
    }
    client.send(prove(keys.rsa.blob));
    expect(new Reader((await client.next(MSG.REQUEST_SUCCESS)).string()).text()).toBe("rsa-sha2-512");
  });
});
