import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Revocations } from "../../src/config/access.ts";
import { readRevocations } from "../../src/config/revoked/read.ts";
import { type KeygenFolder, keygenFolder } from "./keygen.ts";
import { authorizedKey } from "./support.ts";

let folder: KeygenFolder;
/** The three keys of which lists revoke some. */
const NAMES = ["ann", "bob", "eve"];
/** Certificates of them: by whom, with which serial and key id. */
const CERTIFICATES = [1, 2, 3, 5, 64, 65, 66, 130, 1000, 4_294_967_296].flatMap((serial) =>
  ["ca", "other"].map((authority) => ({ authority, serial, id: `id ${serial % 4}` })),
);

beforeAll(async () => {
  folder = await keygenFolder();
  await Promise.all(["ca", "other", ...NAMES].map((name) => folder.make(name)));
  for (const { authority, serial, id } of CERTIFICATES) {
    writeFileSync(join(folder.path, `${authority}-${serial}.pub`), folder.read("eve.pub"));
    await folder.run(
      "-q",
      "-s",
      authority,
      "-I",
      id,
      "-z",
      String(serial),
      "-n",
      "x",
      `${authority}-${serial}.pub`,
    );
  }
});
afterAll(() => folder[Symbol.asyncDispose]());

const blobOf = (name: string) => Buffer.from(folder.read(`${name}.pub`).split(" ")[1] ?? "", "base64");
const print = (blob: Buffer, algorithm = "sha256") =>
  `${algorithm.toUpperCase()}:${createHash(algorithm).update(blob).digest("base64").replace(/=+$/, "")}`;

function revocations(content: Buffer | string): Revocations {
  const read = readRevocations(Buffer.from(content as string));
  if ("problem" in read) throw new Error(read.problem);
  return read.revocations;
}

function problem(content: Buffer | string): string {
  const read = readRevocations(Buffer.from(content as string));
  return "problem" in read ? read.problem : `nothing: ${JSON.stringify([...read.revocations.keys])}`;
}

/** A KRL that the real ssh-keygen makes of a specification. */
async function krl(specification: string, ...words: string[]): Promise<Buffer> {
  writeFileSync(join(folder.path, "spec"), specification);
  await folder.run("-q", "-k", "-f", "krl", ...words, "spec");
  return readFileSync(join(folder.path, "krl"));
}

/** What is revoked as ssh-keygen sees it: names of keys, and certificates as `AUTHORITY-SERIAL`. */
async function judged(file: string): Promise<string[]> {
  const files = [
    ...NAMES.map((name) => `${name}.pub`),
    ...CERTIFICATES.map(({ authority, serial }) => `${authority}-${serial}-cert.pub`),
  ];
  // It ends with 1 when one is revoked; each line says which.
  const told = await folder
    .run("-Q", "-f", file, ...files)
    .catch((error: { stdout: string }) => error.stdout);
  return told.split("\n").flatMap((line) => /^(\S+?)(?:-cert)?\.pub .*: REVOKED/.exec(line)?.[1] ?? []);
}

/** The same as we see it. */
function seen({ keys, serials, ids }: Revocations): string[] {
  const has = (name: string) => keys.has(print(blobOf(name))) || keys.has(print(blobOf(name), "sha1"));
  const certificates = CERTIFICATES.filter(({ authority, serial, id }) => {
    const by = print(blobOf(authority));
    const isFor = (one: { authority: string | undefined }) =>
      one.authority === undefined || one.authority === by;
    return (
      has("eve") ||
      has(authority) ||
      serials.some((one) => isFor(one) && one.from <= serial && BigInt(serial) <= one.to) ||
      ids.some((one) => isFor(one) && one.id === id)
    );
  });
  return [...NAMES.filter(has), ...certificates.map(({ authority, serial }) => `${authority}-${serial}`)];
}

describe("a KRL of ssh-keygen revokes the same here as there", () => {
  const line = (name: string) => folder.read(`${name}.pub`);
  test.each<[string, () => string, ...string[]]>([
    ["nothing", () => ""],
    ["a key", () => `key: ${line("ann")}`],
    ["a key as it stands", () => line("ann")],
    ["the key of all certificates", () => `key: ${line("eve")}`],
    ["an authority", () => `key: ${line("ca")}`],
    ["SHA-1 fingerprints", () => `sha1: ${line("ann")}sha1: ${line("eve")}`],
    ["a SHA-1 fingerprint of an authority", () => `sha1: ${line("other")}`],
    ["SHA-256 fingerprints", () => `sha256: ${line("ann")}sha256: ${line("bob")}`],
    ["a fingerprint of the log", () => `hash: ${print(blobOf("bob"))}\n`],
    ["serials in a list", () => "serial: 1\nserial: 5\nserial: 1000\n", "-s", "ca"],
    ["serials in a range", () => "serial: 2-200\n", "-s", "ca"],
    ["a long range", () => "serial: 64-18446744073709551615\n", "-s", "ca"],
    [
      "serials in a bitmap",
      () => "serial: 1\nserial: 3\nserial: 5\nserial: 64\nserial: 66\nserial: 130\n",
      "-s",
      "ca",
    ],
    ["serials of whoever signed", () => "serial: 65\n", "-s", "none"],
    ["key ids", () => "id: id 1\nid: id 3\n", "-s", "other"],
    ["key ids of whoever signed", () => "id: id 2\n", "-s", "none"],
    ["a certificate as it stands", () => line("ca-64-cert")],
    [
      "everything at once",
      () => `serial: 1-3\nid: id 2\nkey: ${line("bob")}sha1: ${line("ann")}`,
      "-s",
      "ca",
    ],
  ])("%s", async (_what, specification, ...words) => {
    const options = words.map((word) => (word === "ca" || word === "other" ? `${word}.pub` : word));
    const binary = revocations(await krl(specification(), ...options));
    expect(seen(binary)).toEqual(await judged("krl"));
  });

  test("one that has been added to", async () => {
    await krl("serial: 1\n", "-s", "ca.pub");
    writeFileSync(join(folder.path, "more"), "id: id 2\n");
    await folder.run("-q", "-k", "-u", "-f", "krl", "-s", "other.pub", "more");
    const both = revocations(readFileSync(join(folder.path, "krl")));
    const theirs = await judged("krl");
    expect(seen(both)).toEqual(theirs);
    expect(theirs).toContain("ca-1");
    expect(theirs).toContain("other-2");
  });
});

describe("text", () => {
  test("the specification itself revokes what the KRL made of it does, for whoever signed", async () => {
    const text = `# gone\n\nserial: 1-3 # three\n  id: id 2\t\nserial: 0x82\nkey: ${folder.read("bob.pub")}sha256: ${folder.read("ann.pub")}`;
    await krl(text, "-s", "none");
    expect(seen(revocations(text))).toEqual(await judged("krl"));
  });

  test("fingerprints, in every way of writing them", () => {
    const prints = NAMES.map((name) => print(blobOf(name)));
    const text = `hash: ${prints[0]}\n${prints[1]}\r\nsha256: ${prints[2]}=\n`;
    expect([...revocations(text).keys]).toEqual(prints);
  });

  test("a plain list as sshd takes it: keys, and the keys in certificates", () => {
    const text = `# old laptop\n${folder.read("ann.pub")}\n${folder.read("ca-1-cert.pub")}`;
    expect([...revocations(text).keys]).toEqual([print(blobOf("ann")), print(blobOf("eve"))]);
  });

  test("serials next to each other become one range", () => {
    expect(revocations("serial: 4\nserial: 5\nserial: 6-9\nserial: 11\n").serials).toEqual([
      { authority: undefined, from: 4n, to: 9n },
      { authority: undefined, from: 11n, to: 11n },
    ]);
  });

  test.each<[string, string]>([
    ["serial: x", 'line 1: a number or two with "-" between them'],
    ["serial: 010", "line 1"],
    ["serial: 0", "serial numbers are from 1"],
    ["serial: 5-2", "ends before it begins"],
    ["serial: 18446744073709551616", "serial numbers are from 1 to 18446744073709551615"],
    ["serial:", "line 1"],
    ["id:", "a key id is empty"],
    ["\nhash: MD5:00:11", 'line 2: a fingerprint such as "SHA256:…"'],
    ["hash: SHA256:abc", "line 1"],
    ["sha256: abc", "neither a public key"],
    ["SHA1:2jmj7l5rSw0yVb/vlWAYkK/YBwk", "neither a public key"],
    ["key: nobody", "neither a public key"],
    ["nobody", "neither a public key"],
    ["key: ssh-ed25519 AAAA", "damaged"],
    ["ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIA==", "damaged"],
    [`restrict ${authorizedKey}`, "neither a public key"],
    ["ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29t", "damaged"],
  ])("refused: %j", (text, words) => {
    expect(problem(`${text}\n`)).toContain(words);
  });

  test("bytes that are no text are refused", () => {
    expect(problem(Buffer.from([0x61, 0xff, 0x62]))).toContain("neither a KRL nor UTF-8 text (byte 1)");
  });
});

describe("the binary form", () => {
  const uint32 = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  const uint64 = (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(value);
    return bytes;
  };
  const string = (content: Buffer | string) => {
    const bytes = Buffer.from(content as string);
    return Buffer.concat([uint32(bytes.length), bytes]);
  };
  const header = (version = 1) =>
    Buffer.concat([
      Buffer.from("SSHKRL\n\0"),
      uint32(version),
      uint64(1n),
      uint64(2n),
      uint64(0n),
      string(""),
      string("note"),
    ]);
  const section = (kind: number, ...content: Buffer[]) =>
    Buffer.concat([Buffer.of(kind), string(Buffer.concat(content))]);
  const extension = (critical: number) => [string("new@example.org"), Buffer.of(critical), string("x")];

  test("of a signature it is said that nobody checks it", () => {
    const signed = Buffer.concat([
      header(),
      section(5, string(Buffer.alloc(32, 1))),
      Buffer.of(4),
      string("key"),
      string("signature"),
    ]);
    const read = readRevocations(signed);
    expect(read).toMatchObject({ remarks: [expect.stringContaining("its signature is not checked")] });
    expect([...("revocations" in read ? read.revocations.keys : [])]).toHaveLength(1);
    expect(problem(Buffer.concat([signed, section(5)]))).toContain("something follows its signature");
  });

  test("an extension is passed over, unless it says that it must not be", () => {
    expect(revocations(Buffer.concat([header(), section(255, ...extension(0))])).keys.size).toBe(0);
    expect(problem(Buffer.concat([header(), section(255, ...extension(1))]))).toContain(
      '"new@example.org" is not known',
    );
    const inner = (critical: number) =>
      section(1, string(""), string(""), section(0x39, ...extension(critical)));
    expect(revocations(Buffer.concat([header(), inner(0)])).serials).toEqual([]);
    expect(problem(Buffer.concat([header(), inner(1)]))).toContain("is not known");
  });

  test.each<[string, () => Buffer, string]>([
    ["another version", () => header(2), "it has version 2"],
    ["an unknown section", () => Buffer.concat([header(), section(9)]), "unknown kind 9"],
    [
      "an unknown section of certificates",
      () => Buffer.concat([header(), section(1, string(""), string(""), section(0x24))]),
      "unknown kind 36",
    ],
    [
      "a fingerprint too short",
      () => Buffer.concat([header(), section(5, string(Buffer.alloc(20)))]),
      "(SHA256) has another length",
    ],
    [
      "a serial number 0",
      () => Buffer.concat([header(), section(1, string(""), string(""), section(0x20, uint64(0n)))]),
      "serial numbers",
    ],
    [
      "a range with more behind it",
      () =>
        Buffer.concat([
          header(),
          section(1, string(""), string(""), section(0x21, uint64(1n), uint64(2n), uint64(3n))),
        ]),
      "more follows",
    ],
    [
      "a bitmap too long",
      () =>
        Buffer.concat([
          header(),
          section(1, string(""), string(""), section(0x22, uint64(1n), string(Buffer.alloc(4096, 255)))),
        ]),
      "too long",
    ],
    [
      "a key id that is not UTF-8",
      () =>
        Buffer.concat([header(), section(1, string(""), string(""), section(0x23, string(Buffer.of(0xff))))]),
      "not UTF-8",
    ],
    [
      "more entries than anybody has",
      () =>
        Buffer.concat([
          header(),
          section(
            1,
            string(""),
            string(""),
            ...Array.from({ length: 13 }, (_, n) =>
              section(0x22, uint64(BigInt(n * 16_384 + 1)), string(Buffer.alloc(2048, 0x55))),
            ),
          ),
        ]),
      "more than 100000 entries",
    ],
  ])("refused: %s", (_what, bytes, words) => {
    expect(problem(bytes())).toContain(words);
  });

  test("cut off anywhere it is refused, or is a whole list that ends there", async () => {
    const whole = await krl(
      `serial: 1\nserial: 9\nid: x\nkey: ${folder.read("ann.pub")}sha1: ${folder.read("bob.pub")}`,
      "-s",
      "ca.pub",
    );
    const ends = Array.from({ length: whole.length }, (_, end) => end).filter(
      (end) => !("problem" in readRevocations(whole.subarray(0, end))),
    );
    // An empty file, the bare header, and after each of the sections but the last; and what is not yet a KRL's beginning is no text of keys.
    expect(ends.length).toBeLessThanOrEqual(5);
  });

  test("whatever the bytes, reading them does not throw", async () => {
    const whole = await krl(`serial: 1\nserial: 9\nid: x\nkey: ${folder.read("ann.pub")}`, "-s", "ca.pub");
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 }),
        (changes) => {
          const bytes = Buffer.from(whole);
          for (const [at, value] of changes) bytes[at] = value;
          const read = readRevocations(bytes);
          expect("problem" in read || read.revocations.keys.size <= 3).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
