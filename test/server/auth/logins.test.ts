import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AuthorizedKey, UserConfig } from "../../../src/config/access.ts";
import { fingerprint } from "../../../src/server/public-key.ts";
import { type AgentKey, startAgent } from "../../harness/agent.ts";
import { type Keys, line, makeKeys, type Shown, trusts } from "../../harness/auth-case.ts";
import { type DoorOptions, type OpenDoor, openDoor } from "../../harness/front-door.ts";
import { userConfig } from "../../harness/server-config.ts";
import { type SshResult, ssh } from "../../harness/ssh.ts";
import { echo, type TcpTarget, tcpTarget } from "../../harness/tcp.ts";
import { softToken } from "../../harness/token.ts";

let keys: Keys;
let target: TcpTarget;
beforeAll(async () => {
  keys = await makeKeys();
  target = await tcpTarget(echo);
}, 60_000);
afterAll(async () => {
  await target[Symbol.asyncDispose]();
  await keys[Symbol.asyncDispose]();
});

const HOSTS = { archiver: "127.0.0.1", db: "127.0.0.1" };
const openFor = (users: readonly UserConfig[], rest: DoorOptions = {}): Promise<OpenDoor> =>
  openDoor({ hosts: HOSTS, ...rest, config: { users, ...rest.config } });
const alice = (lines: readonly AuthorizedKey[], rest: Partial<UserConfig> = {}): UserConfig[] => [
  userConfig("alice", lines, rest),
];

/** Has `ssh -W` go through the jump host and send `hello`, which comes back. */
async function through(
  door: OpenDoor,
  jump: Readonly<Record<string, string>>,
  name = "archiver",
  port = target.port,
): Promise<SshResult> {
  const config = await door.config({ lazyssh: jump });
  return ssh(["-F", config, "-W", `${name}:${port}`, "lazyssh"], { input: "hello" });
}

/** Files for a key of `makeKeys`, and its certificate. */
async function files(
  name: string,
  certificate?: Shown,
): Promise<{ IdentityFile: string; CertificateFile?: string }> {
  const IdentityFile = join(keys.folder.path, name);
  if (!certificate) return { IdentityFile };
  const CertificateFile = join(keys.folder.path, `${fingerprint(certificate.blob).replaceAll("/", "_")}.pub`);
  await writeFile(CertificateFile, `${certificate.publicLine}\n`);
  return { IdentityFile, CertificateFile };
}

describe("an OpenSSH client with a certificate", () => {
  test.each([
    ["ed25519", "ed25519"],
    ["p256", "ecdsa"],
    ["p521", "rsa"],
    ["rsa", "rsa"],
    ["rsa", "ed25519"],
  ])(
    "of its key %s by an authority that is %s gets in, and every line of the log says who",
    async (name, kind) => {
      const authority = keys.authorities[kind] ?? keys.authority;
      const key =
        Object.values(keys.each).find(({ publicLine }) => publicLine.endsWith(` ${name}`)) ?? keys.other;
      const certificate = await keys.certificate(["-n", "alice", "-z", "7001"], key, authority);
      await using door = await openFor(alice([trusts(authority)]));
      const result = await through(door, await files(name, certificate));
      expect(result).toMatchObject({ code: 0, stderr: "" });
      expect(result.stdout.toString()).toBe("hello");
      const who = {
        user: "alice",
        key: fingerprint(key.blob),
        certificate: "id-7",
        serial: "7001",
        authority: fingerprint(authority.blob),
      };
      expect(await door.event("connection.auth", ({ accepted }) => accepted)).toMatchObject(who);
      expect(await door.event("channel.open")).toMatchObject(who);
      expect(await door.event("channel.close")).toMatchObject({
        ...who,
        target: "archiver",
        bytesUp: 5,
        bytesDown: 5,
      });
      expect(await door.event("connection.close")).toMatchObject({ ...who, channels: 1, bytesUp: 5 });
    },
  );

  test("that has expired is denied, and the log says since when", async () => {
    const certificate = await keys.certificate(["-n", "alice", "-V", "20200101:20210101"]);
    await using door = await openFor(alice([trusts(keys.authority)]));
    const result = await through(door, await files("ed25519", certificate));
    expect(result).toMatchObject({ code: 255 });
    expect(result.stderr).toContain("Permission denied (publickey)");
    const auth = await door.event(
      "connection.auth",
      (event) => !event.accepted && /valid until/.test(event.reason),
    );
    expect(auth).toMatchObject({
      login: "jump",
      reason: expect.stringContaining("it was valid until 20") as string,
    });
  });

  test("without permit-port-forwarding is told at the channel, and the log says who", async () => {
    const certificate = await keys.certificate(["-n", "alice", "-O", "clear"]);
    await using door = await openFor(alice([trusts(keys.authority)]));
    const { stderr } = await through(door, await files("ed25519", certificate));
    expect(stderr).toContain("administratively prohibited: your certificate may not open connections");
    expect(await door.event("channel.refused")).toMatchObject({
      user: "alice",
      certificate: "id-7",
      code: "NOT_PERMITTED",
    });
    expect(door.targets.tenants).toEqual([]);
  });

  test("goes on with its key alone, when its certificate does not do", async () => {
    const certificate = await keys.certificate(["-n", "bob"]);
    await using door = await openFor(alice([trusts(keys.authority), line(keys.ed25519)]));
    expect(await through(door, await files("ed25519", certificate))).toMatchObject({ code: 0, stderr: "" });
  });
});

describe("an OpenSSH client with keys on tokens", () => {
  const inAgent = (...all: AgentKey[]) => startAgent(keys.folder.path, all);
  const use = (path: string) => ({ IdentityAgent: path, IdentitiesOnly: "no", IdentityFile: "/dev/null" });

  test.each(["ed25519", "ecdsa"] as const)("that is %s gets in", async (kind) => {
    const token = softToken(kind);
    await using agent = await inAgent({ blob: token.blob, sign: (data) => token.sign(data) });
    await using door = await openFor(alice([line(token)]));
    const result = await through(door, use(agent.path));
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout.toString()).toBe("hello");
  });

  test("gets in by a certificate of one", async () => {
    const { blob } = await keys.certificate(["-n", "alice"], { ...keys.other, ...keys.token });
    await using agent = await inAgent({ blob, sign: (data) => keys.token.sign(data) });
    await using door = await openFor(alice([trusts(keys.authority)]));
    expect(await through(door, use(agent.path))).toMatchObject({ code: 0, stderr: "" });
  });

  test("is denied when it was not touched", async () => {
    await using agent = await inAgent({
      blob: keys.token.blob,
      sign: (data) => keys.token.sign(data, { flags: 0 }),
    });
    await using door = await openFor(alice([line(keys.token)]));
    expect((await through(door, use(agent.path))).stderr).toContain("Permission denied (publickey)");
    await door.event("connection.auth", (event) => !event.accepted && /was not touched/.test(event.reason));
  });

  test("gets in by the second when the first is not plugged in", async () => {
    const lost = softToken("ecdsa");
    await using agent = await inAgent(
      { blob: lost.blob, sign: () => undefined },
      { blob: keys.token.blob, sign: (data) => keys.token.sign(data) },
    );
    await using door = await openFor(alice([line(lost), line(keys.token)]));
    const result = await through(door, use(agent.path));
    expect(result.stdout.toString()).toBe("hello");
    expect(await door.event("connection.auth")).toMatchObject({
      accepted: true,
      key: fingerprint(keys.token.blob),
    });
  });
});

describe("an OpenSSH client whose key has options", () => {
  const refusedWith = async (users: readonly UserConfig[], name: string, port: number): Promise<string> => {
    await using door = await openFor(users);
    const { stderr } = await through(door, await files("ed25519"), name, port);
    expect(await door.event("channel.refused")).toMatchObject({
      user: "alice",
      code: "NOT_PERMITTED",
      target: name,
      port,
    });
    // Nothing was asked of the target.
    expect(door.targets.tenants).toEqual([]);
    return stderr;
  };

  test("reaches what permitopen says, and is told when it asks for more", async () => {
    const options = { permitOpen: [{ host: "archiver", port: target.port }] };
    await using door = await openFor(alice([line(keys.ed25519, options)]));
    expect(await through(door, await files("ed25519"))).toMatchObject({ code: 0, stderr: "" });
    expect(await refusedWith(alice([line(keys.ed25519, options)]), "db", 22)).toContain(
      `channel 0: open failed: administratively prohibited: your key may not reach db:22, only archiver:${target.port} (permitopen)`,
    );
  });

  test("opens nothing with restrict", async () => {
    expect(await refusedWith(alice([line(keys.ed25519, { forwarding: false })]), "archiver", 22)).toContain(
      "open failed: administratively prohibited: your key may not open connections (no-port-forwarding)",
    );
  });

  test("reaches the user's targets only, and hears the same of others, be they there or not", async () => {
    const users = () => alice([line(keys.ed25519)], { targets: ["arch*"] });
    const words = (name: string) =>
      `open failed: administratively prohibited: "${name}" is not among the targets that alice may reach: arch*`;
    expect(await refusedWith(users(), "db", 22)).toContain(words("db"));
    expect(await refusedWith(users(), "dc", 22)).toContain(words("dc"));
  });

  test("has targets told of nothing but what the user may reach", async () => {
    await using door = await openFor(alice([line(keys.ed25519)], { targets: ["arch*"], maxMachines: 3 }));
    await through(door, await files("ed25519"));
    const user = door.targets.tenants[0]?.user;
    expect(user).toMatchObject({ name: "alice", maxMachines: 3 });
    expect(["archiver", "arch", "db", ""].map((name) => user?.sees(name))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  test.each<readonly [string, Partial<AuthorizedKey>, RegExp]>([
    ["from elsewhere", { from: ["192.0.2.0/24"] }, /may not be used from 127\.0\.0\.1/],
    ["that has expired", { expiresAt: 0 }, /could be used until 1970/],
  ])("is denied %s", async (_, options, reason) => {
    await using door = await openFor(alice([line(keys.ed25519, options)]));
    const { code, stderr } = await through(door, await files("ed25519"));
    expect(code).toBe(255);
    expect(stderr).toContain("Permission denied (publickey)");
    await door.event("connection.auth", (event) => !event.accepted && reason.test(event.reason));
  });

  test("is told so at boot+TARGET, before anything is booted", async () => {
    await using door = await openFor(alice([line(keys.ed25519)], { targets: ["db"] }));
    const { code, stderr } = await through(door, { User: "boot+archiver", ...(await files("ed25519")) });
    expect(code).toBe(255);
    expect(stderr).toContain('"archiver" is not among the targets that alice may reach: db');
    expect(door.targets.tenants).toEqual([]);
  });
});
