import { createHash, randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { verifySignature } from "../../../src/server/auth/signature.ts";
import { Reader } from "../../../src/server/protocol.ts";
import { readPublicKey } from "../../../src/server/public-key.ts";
import { signatureOf } from "../../harness/sign.ts";
import { sshFolder, startSsh } from "../../harness/ssh.ts";
import { tempDir } from "../../harness/temp.ts";
import { softToken, strings, type TokenOptions } from "../../harness/token.ts";

/** What OpenSSH says to a signature by a token, in the frame of its own that `ssh-keygen -Y verify` reads (PROTOCOL.sshsig). */
async function sshKeygenAccepts(kind: "ed25519" | "ecdsa", options: TokenOptions): Promise<boolean> {
  const dir = tempDir();
  const token = softToken(kind);
  const text = randomBytes(40);
  const hash = createHash("sha512").update(text).digest();
  const frame = Buffer.from("SSHSIG");
  const signed = Buffer.concat([frame, strings("test", "", "sha512", hash)]);
  const signature = token.sign(signed, options);
  const version = Buffer.of(0, 0, 0, 1);
  const whole = Buffer.concat([frame, version, strings(token.blob, "test", "", "sha512", signature)]);
  const armored = `-----BEGIN SSH SIGNATURE-----\n${whole.toString("base64")}\n-----END SSH SIGNATURE-----\n`;
  await writeFile(join(dir, "signature"), armored);
  await writeFile(join(dir, "signers"), `me ${token.publicLine}\n`);
  const key = readPublicKey(token.blob);
  const ours = verifySignature(token.type as "sk-ssh-ed25519@openssh.com", key, signature, signed);
  const args = ["-Y", "verify", "-n", "test", "-I", "me"];
  const files = ["-f", join(dir, "signers"), "-s", join(dir, "signature")];
  const { code } = await startSsh([...args, ...files], { program: "ssh-keygen", input: text }).result;
  expect(code === 0, "ssh-keygen agrees").toBe(ours !== undefined);
  return code === 0;
}

describe.each(["ed25519", "ecdsa"] as const)("OpenSSH, of a signature by a token with %s,", (kind) => {
  test.each<readonly [string, TokenOptions, boolean]>([
    ["that is right", {}, true],
    ["with both flags", { flags: 5 }, true],
    ["for another application", { application: "ssh:x" }, false],
    ["with another counter", { sent: Buffer.of(1, 9, 9, 9, 9) }, false],
    ["with other flags", { sent: Buffer.of(5, 0, 0, 0, 1) }, false],
    ["with a byte behind", { trailing: Buffer.of(0) }, false],
    ["without a counter", { sent: Buffer.of(1) }, false],
  ])("%s, thinks the same", async (_, options, expected) => {
    expect(await sshKeygenAccepts(kind, options)).toBe(expected);
  });
});

describe.each(["rsa-sha2-256", "rsa-sha2-512"] as const)("an RSA signature by %s", (algorithm) => {
  test("may lack its leading zeros, as PuTTY makes it, and nothing else", async () => {
    await using folder = await sshFolder();
    const key = await folder.key("rsa", "rsa", 2048);
    const readable = readPublicKey(key.blob);
    const bytesOf = (data: Buffer): Buffer => {
      const fields = new Reader(signatureOf(key, algorithm, data));
      fields.string();
      return fields.string();
    };
    let data = randomBytes(8);
    // One in 256 begins with a zero.
    let bytes = bytesOf(data);
    while (bytes[0] !== 0 || bytes[1] === 0) {
      data = randomBytes(8);
      bytes = bytesOf(data);
    }
    const accepts = (shown: Buffer): boolean =>
      verifySignature(algorithm, readable, strings(algorithm, shown), data) !== undefined;
    expect([bytes, bytes.subarray(1)].map(accepts)).toEqual([true, true]);
    const wrong = [
      bytes.subarray(2),
      bytes.subarray(0, -1),
      Buffer.concat([Buffer.of(0), bytes]),
      Buffer.alloc(0),
    ];
    expect(wrong.map(accepts)).toEqual([false, false, false, false]);
  }, 60_000);
});

describe("a signature", () => {
  const data = Buffer.from("data");
  const ORDER_OF_P256 = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
  const one = Buffer.of(1);
  const zero = Buffer.alloc(0);
  const order = Buffer.from(`00${ORDER_OF_P256}`, "hex");

  test.each([
    ["r = 0", [zero, one]],
    ["s = 0", [one, zero]],
    ["r = s = 0, with digits", [Buffer.alloc(32), Buffer.alloc(32)]],
    ["r = n", [order, one]],
    ["s = n", [one, order]],
    ["r of 33 bytes", [Buffer.concat([one, Buffer.alloc(32)]), one]],
    ["r negative", [Buffer.of(0x80), one]],
    ["s negative", [one, Buffer.alloc(32, 0xff)]],
    ["three numbers", [one, one, one]],
    ["one number", [one]],
  ])("by ECDSA with %s is wrong, and nothing is thrown", async (_, numbers) => {
    await using folder = await sshFolder();
    const files = await folder.key("key", "ecdsa", 256);
    const signature = signatureOf(files, files.type, data, { bytes: strings(...numbers) });
    expect(
      verifySignature("ecdsa-sha2-nistp256", readPublicKey(files.blob), signature, data),
    ).toBeUndefined();
  });

  test("by ECDSA with a number behind those two is wrong", async () => {
    await using folder = await sshFolder();
    const files = await folder.key("key", "ecdsa", 256);
    const fields = new Reader(signatureOf(files, files.type, data));
    const [type, numbers] = [fields.text(), fields.string()];
    const verify = (bytes: Buffer) =>
      verifySignature("ecdsa-sha2-nistp256", readPublicKey(files.blob), strings(type, bytes), data);
    expect(verify(numbers)).toEqual({ token: undefined });
    expect(verify(Buffer.concat([numbers, strings(one)]))).toBeUndefined();
    expect(verify(Buffer.concat([numbers, Buffer.of(0)]))).toBeUndefined();
  });

  test("by ECDSA is right whatever lengths its numbers happen to have", async () => {
    await using folder = await sshFolder();
    const files = await folder.key("key", "ecdsa", 521);
    const key = readPublicKey(files.blob);
    for (let n = 0; n < 20; n++) {
      const signature = signatureOf(files, files.type, data);
      expect(verifySignature("ecdsa-sha2-nistp521", key, signature, data)).toEqual({ token: undefined });
    }
  });

  test.each([0, 1, 63, 65, 255, 257, 20_000])("by RSA or Ed25519 of %i bytes is wrong", async (length) => {
    await using folder = await sshFolder();
    const rsa = await folder.key("rsa", "rsa", 2048);
    const ed25519 = await folder.key("ed25519");
    const bytes = Buffer.alloc(length, 1);
    const byRsa = signatureOf(rsa, "rsa-sha2-512", data, { bytes });
    expect(verifySignature("rsa-sha2-512", readPublicKey(rsa.blob), byRsa, data)).toBeUndefined();
    const byEd = signatureOf(ed25519, "ssh-ed25519", data, { bytes });
    expect(verifySignature("ssh-ed25519", readPublicKey(ed25519.blob), byEd, data)).toBeUndefined();
  });
});

describe("a public key", () => {
  const point = Buffer.concat([Buffer.of(4), Buffer.alloc(64, 1)]);
  test.each([
    ["of no type", Buffer.alloc(0), "ended before"],
    ["of a type that nobody has", strings("ssh-dss", "x"), '"ssh-dss" are not accepted'],
    ["named like a property of objects", strings("constructor", "x"), "are not accepted"],
    ["of Ed25519 with 31 bytes", strings("ssh-ed25519", Buffer.alloc(31)), "has 32 bytes"],
    ["with a field more", strings("ssh-ed25519", Buffer.alloc(32), ""), "more than a key"],
    ["with a field less", strings("ecdsa-sha2-nistp256", "nistp256"), "ended before"],
    ["of another curve", strings("ecdsa-sha2-nistp256", "nistp384", point), "curve is another"],
    ["beside the curve", strings("ecdsa-sha2-nistp256", "nistp256", point), /EC key/i],
    ["with a compressed point", strings("ecdsa-sha2-nistp256", "nistp256", Buffer.alloc(33, 2)), "no point"],
    ["of RSA with a negative modulus", strings("ssh-rsa", Buffer.of(3), Buffer.alloc(256, 255)), "negative"],
    ["of RSA without a modulus", strings("ssh-rsa", Buffer.of(3), ""), /RSA key/],
  ])("%s is none", (_, blob, reason) => {
    expect(() => readPublicKey(blob)).toThrow(reason);
  });
});
