import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AuthorizedKey } from "../../src/config/access.ts";
import { NO_OPTIONS } from "../../src/config/authorized-keys/options.ts";
import { readAuthorizedKeys } from "../../src/config/authorized-keys/read.ts";
import { type KeygenFolder, keygenFolder } from "./keygen.ts";
import { authorizedKey } from "./support.ts";

const read = (text: string) => readAuthorizedKeys(text, (line) => `line ${line}`);
const [type = "", encoded = ""] = authorizedKey.split(" ");
const bare = `${type} ${encoded}`;

/** The only key of a line with these options. */
function one(options: string): AuthorizedKey {
  const { keys, refused } = read(`${options} ${authorizedKey}`);
  const [key] = keys;
  if (key === undefined) throw new Error(refused.join());
  return key;
}

/** Why a line with these options is refused. */
function problem(options: string): string {
  const { keys, refused } = read(`${options} ${authorizedKey}`);
  expect(keys).toEqual([]);
  expect(refused).toHaveLength(1);
  return refused[0] ?? "";
}

describe("options", () => {
  test("none", () => {
    expect(one("")).toEqual({
      ...NO_OPTIONS,
      key: { type, blob: Buffer.from(encoded, "base64"), comment: "dana@laptop" },
      source: "line 1",
    });
  });

  test.each<[string, Partial<AuthorizedKey>]>([
    ["restrict", { forwarding: false }],
    ["no-port-forwarding", { forwarding: false }],
    ["restrict,port-forwarding", { forwarding: true }],
    ["port-forwarding,restrict", { forwarding: false }],
    ["RESTRICT,Port-Forwarding", { forwarding: true }],
    ["restrict,", { forwarding: false }],
    ["cert-authority", { certAuthority: true }],
    ['cert-authority,principals="ci,deploy"', { certAuthority: true, principals: ["ci", "deploy"] }],
    ['principals="ci",cert-authority', { certAuthority: true, principals: ["ci"] }],
    ['permitopen="archiver:22"', { permitOpen: [{ host: "archiver", port: 22 }] }],
    ['permitopen="archiver:*"', { permitOpen: [{ host: "archiver", port: undefined }] }],
    ['permitopen="*:22"', { permitOpen: [{ host: "*", port: 22 }] }],
    ['permitopen="[2001:db8::1]:22"', { permitOpen: [{ host: "2001:db8::1", port: 22 }] }],
    [
      'permitopen="a:1",permitopen="b:65535"',
      {
        permitOpen: [
          { host: "a", port: 1 },
          { host: "b", port: 65_535 },
        ],
      },
    ],
    [
      'from="10.0.0.0/8,!10.0.0.7,2001:DB8::/32,192.0.2.*"',
      { from: ["10.0.0.0/8", "!10.0.0.7", "2001:db8::/32", "192.0.2.*"] },
    ],
    ['from="0.0.0.0/0,::/0,::ffff:10.0.0.0/104"', { from: ["0.0.0.0/0", "::/0", "::ffff:10.0.0.0/104"] }],
    ['expiry-time="20300102Z"', { expiresAt: Date.UTC(2030, 0, 2) }],
    ['expiry-time="203001020304Z"', { expiresAt: Date.UTC(2030, 0, 2, 3, 4) }],
    ['expiry-time="20300102030405utc"', { expiresAt: Date.UTC(2030, 0, 2, 3, 4, 5) }],
    ['expiry-time="20300702"', { expiresAt: new Date(2030, 6, 2).getTime() }],
    ['expiry-time="20280229120000"', { expiresAt: new Date(2028, 1, 29, 12).getTime() }],
    ['expiry-time="20310101Z",expiry-time="20300101Z"', { expiresAt: Date.UTC(2030, 0, 1) }],
    ['command="status"', { command: "status" }],
    ['command="echo \\"a, b\\" \\\\n"', { command: 'echo "a, b" \\\\n' }],
    ["no-touch-required", { touchRequired: false }],
    ["no-touch-required,touch-required", { touchRequired: true }],
    ["verify-required", { verifyRequired: true }],
    ["no-pty,pty,no-agent-forwarding,agent-forwarding", {}],
    ["no-X11-forwarding,x11-forwarding,no-user-rc,user-rc", {}],
    ['permitlisten="8080",permitlisten="localhost:8080",permitlisten="*:*"', {}],
    ['tunnel="0",environment="PATH=/bin",environment="EMPTY="', {}],
    ['tunnel="any"', {}],
  ])("%s", (options, expected) => {
    expect(one(options)).toMatchObject({ ...NO_OPTIONS, ...expected });
  });

  test.each<[string, string]>([
    ["no-such-option", 'There is no option "no-such-option"'],
    ["restrit", 'Did you mean "restrict"?'],
    ["restrict=", "must stand in quotes"],
    ['restrict="yes"', 'The option "restrict" takes no value.'],
    ["permitopen", 'The option "permitopen" needs a value'],
    ["permitopen=archiver:22", 'The value of "permitopen" must stand in quotes'],
    ['permitopen="archiver"', '"permitopen": "host:port"'],
    ['permitopen="archiver:"', '"permitopen"'],
    ['permitopen="archiver:0"', '"permitopen"'],
    ['permitopen="archiver:65536"', '"permitopen"'],
    ['permitopen="archiver:ssh"', '"permitopen"'],
    ['permitopen="2001:db8::1:22"', '"permitopen"'],
    ['permitopen=""', '"permitopen"'],
    ['permitopen="a:22" restrict', "There is no public key"],
    ['permitopen="a:22"restrict', 'What follows "permitopen" cannot be read'],
    ['from=""', '"from"'],
    ['from="a b"', '"from"'],
    ['from="10.0.0.1/8"', "10.0.0.0/8, not 10.0.0.1/8"],
    ['from="10.0.0.0/33"', '"from"'],
    ['from="10.0.0.0/"', '"from"'],
    ['from="2001:db8::1/32"', "no bits beyond its mask"],
    ['from="!example.org,*"', "names of hosts are not looked up"],
    ['from="10.0.0.0/8",from="*"', '"from": it is there twice'],
    ['command="a",command="b"', '"command": it is there twice'],
    ['expiry-time="2030"', '"expiry-time"'],
    ['expiry-time="20301301"', '"expiry-time"'],
    ['expiry-time="20300230"', '"expiry-time"'],
    ['expiry-time="203001022460"', '"expiry-time"'],
    ['expiry-time="19700101Z"', '"expiry-time"'],
    ['expiry-time="tomorrow"', '"expiry-time"'],
    ['principals="ci"', 'only for a key with "cert-authority"'],
    ['cert-authority,principals=""', '"principals"'],
    ['cert-authority,principals="a,,b"', '"principals"'],
    ['tunnel="x"', '"tunnel"'],
    ['environment="PATH"', '"environment"'],
    ['permitlisten="x"', '"permitlisten"'],
    ['command="echo', "A quote of its options is not closed."],
    ['command="echo\\"', "A quote of its options is not closed."],
  ])("refused: %s", (options, words) => {
    expect(problem(options)).toContain(words);
  });

  test("names of hosts in from are taken, with a remark", () => {
    const { keys, remarks } = read(`from="example.org,10.0.0.7" ${authorizedKey}`);
    expect(keys[0]?.from).toEqual(["example.org", "10.0.0.7"]);
    expect(remarks).toEqual([expect.stringContaining('line 1: Its "from" has names of hosts')]);
  });
});

describe("what sshd was seen to do", () => {
  /** Refused here alone: services by name, the old way to write a port, days that no month has, and names that must keep somebody out. */
  const stricter = new Set([
    'permitopen="archiver:ssh"',
    'permitopen="archiver/22"',
    'expiry-time="20400230"',
    'from="!example.org,127.0.0.1"',
  ]);
  const recorded = readFileSync("test/fixtures/sshd-key-options.txt", "utf8")
    .split("\n")
    .flatMap((line) => {
      const [, verdict, options = ""] = /^(taken|refused)(?: (.*))?$/.exec(line) ?? [];
      return verdict === undefined ? [] : [{ options, taken: verdict === "taken" }];
    });

  test("was recorded", () => expect(recorded.length).toBeGreaterThan(50));

  test.each(recorded)("$options: $taken", ({ options, taken }) => {
    const { keys, refused } = read(`${options} ${authorizedKey}`);
    expect([keys.length, refused.length]).toEqual(taken && !stricter.has(options) ? [1, 0] : [0, 1]);
  });
});

describe("lines", () => {
  test("blank lines, comments, white space and line ends", () => {
    const { keys, refused } = read(
      `# mine\r\n\r\n  \t${bare}  \r\n\n\trestrict\t${bare}\tof many words \n#${bare}\n`,
    );
    expect(refused).toEqual([]);
    expect(keys.map(({ source, forwarding, key }) => [source, forwarding, key.comment])).toEqual([
      ["line 3", true, ""],
      ["line 5", false, "of many words"],
    ]);
  });

  test("a line that cannot be read costs its own key only", () => {
    const { keys, refused } = read(`nope ${bare}\n${bare}\nnobody\n`);
    expect(keys.map(({ source }) => source)).toEqual(["line 2"]);
    expect(refused.map((words) => words.split(":")[0])).toEqual(["line 1", "line 3"]);
  });

  test.each<[string, string, string]>([
    ["no key", "hello world", "There is no public key in it"],
    ["a type that is not served", `ssh-dss ${encoded}`, "of the type ssh-dss are not supported"],
    ["a certificate", `ssh-ed25519-cert-v01@openssh.com ${encoded}`, "This is a certificate"],
    ["another type than its blob says", `ssh-rsa ${encoded}`, "damaged"],
    ["a blob cut off", `${type} ${encoded.slice(0, -4)}`, "damaged"],
    ["a blob with more behind", `${type} ${encoded}AAAA`, "damaged"],
    ["no Base64", `${type} ${encoded.slice(0, -1)}!`, "damaged"],
    ["no blob", type, "There is no public key in it"],
  ])("%s is refused", (_what, line, words) => {
    expect(read(line)).toMatchObject({ keys: [], refused: [expect.stringContaining(words)] });
  });

  test("a point that is not on its curve is refused", () => {
    const part = (content: Buffer | string) => {
      const bytes = Buffer.from(content as string);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return Buffer.concat([length, bytes]);
    };
    const point = Buffer.alloc(65, 7);
    point[0] = 4;
    const blob = Buffer.concat([part("ecdsa-sha2-nistp256"), part("nistp256"), part(point)]);
    expect(read(`ecdsa-sha2-nistp256 ${blob.toString("base64")}`).refused).toEqual([
      expect.stringContaining("damaged"),
    ]);
  });

  test("nothing of a private key that stands there is told", () => {
    const text = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\nsecretword x\n";
    const told = read(text).refused.join("\n");
    expect(told).not.toMatch(/b3Bl|secretword/);
  });
});

describe("keys of ssh-keygen", () => {
  let folder: KeygenFolder;
  beforeAll(async () => {
    folder = await keygenFolder();
  });
  afterAll(() => folder[Symbol.asyncDispose]());

  test.each<["ed25519" | "ecdsa" | "rsa", number | undefined, string]>([
    ["ed25519", undefined, "ssh-ed25519"],
    ["ecdsa", 256, "ecdsa-sha2-nistp256"],
    ["ecdsa", 384, "ecdsa-sha2-nistp384"],
    ["ecdsa", 521, "ecdsa-sha2-nistp521"],
    ["rsa", 2048, "ssh-rsa"],
    ["rsa", 3072, "ssh-rsa"],
  ])("%s %s", async (kind, bits, expected) => {
    const line = await folder.make(`${kind}-${bits}`, kind, bits);
    expect(read(line)).toMatchObject({
      keys: [{ key: { type: expected, comment: `${kind}-${bits}` } }],
      refused: [],
    });
  });

  test.each([1024, 2047])("rsa with %i bits is refused, with its bits", async (bits) => {
    const line = await folder.make(`rsa-${bits}`, "rsa", bits);
    expect(read(line).refused).toEqual([
      `line 1: This RSA key has ${bits} bits; keys of less than 2048 can be broken. Make a new one with: ssh-keygen -t ed25519`,
    ]);
  });

  test("keys on security tokens", () => {
    // As in OpenSSH's own tests: regress/unittests/sshkey/testdata.
    const ed25519 =
      "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAICFo/k5LU8863u66YC9eUO2170QduohPURkQnbLa/dczAAAABHNzaDo= token";
    const ecdsa =
      "sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAAIbmlzdHAyNTYAAABBBIELQJ2DgvaX1yQlKFokfWM2suuaCFI2qp0eJodHyg6O4ifxc3XpRKd1OS8dNYQtE/YjdXSrA+AOnMF5ns2Nkx4AAAAEc3NoOg== token";
    const { keys, refused } = read(`no-touch-required ${ed25519}\nverify-required ${ecdsa}\n`);
    expect(refused).toEqual([]);
    expect(keys).toMatchObject([
      { key: { type: "sk-ssh-ed25519@openssh.com" }, touchRequired: false },
      { key: { type: "sk-ecdsa-sha2-nistp256@openssh.com" }, verifyRequired: true },
    ]);
  });
});
