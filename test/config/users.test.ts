import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { loadConfig, parseConfig, renderDiagnostics } from "../../src/config/index.ts";
import { intersect } from "../../src/config/schema/patterns.ts";
import type { ServerConfig } from "../../src/config/types.ts";
import { generateKeyPair } from "../../src/dev/host-key.ts";
import { tempDir } from "../harness/temp.ts";
import { type KeygenFolder, keygenFolder } from "./keygen.ts";
import { authorizedKey, hostKey } from "./support.ts";

const other = generateKeyPair("erin@desk").public.trim();
const authority = generateKeyPair("authority").public.trim();
const TARGETS = 'target "archiver" "forward" { to = "h" }\ntarget "*.dev" "forward" { to = "h" }\n';
const HOST = `  host_key = <<KEY\n${hostKey}\nKEY\n`;

let folder = "";
beforeEach(() => {
  folder = tempDir();
});

/** A configuration with this in its server block, in a folder of the test's own. */
function load(body: string) {
  return parseConfig(Buffer.from(`server {\n${HOST}${body}}\n${TARGETS}`), {
    file: join(folder, "config.hcl"),
    env: { HOME: folder },
  });
}

function server(body: string): ServerConfig {
  const { config, diagnostics } = load(body);
  if (config === undefined) throw new Error(JSON.stringify(diagnostics));
  return config.server;
}

/** `severity: summary: detail` of each diagnostic. */
function told(body: string): string[] {
  return load(body).diagnostics.map(({ severity, summary, detail }) => `${severity}: ${summary}: ${detail}`);
}

const user = (name: string, body = `authorized_keys = ["${authorizedKey}"]`) =>
  `  user "${name}" {\n    ${body}\n  }\n`;
const old = `  authorized_key = "${authorizedKey}"\n`;

describe("users", () => {
  test("have all that is written, in its order", () => {
    writeFileSync(join(folder, "alice.keys"), `# hers\nrestrict ${other}\n`, { mode: 0o600 });
    const body = `authorized_keys = ["${authorizedKey}"]
    authorized_keys_file = "alice.keys"
    trusted_user_ca_keys = ["${authority}\\n"]
    targets = ["archiver", "web.dev"]
    commands = ["status", "status", "stop"]
    max_machines = 2`;
    expect(told(user("alice", body))).toEqual([]);
    const { users } = server(user("alice", body));
    expect(users).toMatchObject([
      {
        name: "alice",
        keys: [
          {
            source: "authorized_keys item 1",
            key: { comment: "dana@laptop" },
            forwarding: true,
            certAuthority: false,
          },
          {
            source: `${join(folder, "alice.keys")} line 2`,
            key: { comment: "erin@desk" },
            forwarding: false,
          },
          { source: "trusted_user_ca_keys item 1", key: { comment: "authority" }, certAuthority: true },
        ],
        targets: ["archiver", "web.dev"],
        commands: ["status", "stop"],
        maxMachines: 2,
      },
    ]);
  });

  test("may do everything unless something else is written", () => {
    expect(server(user("a.b_c-1")).users).toMatchObject([
      { name: "a.b_c-1", targets: undefined, commands: ["status", "start", "stop"], maxMachines: undefined },
    ]);
    expect(
      server(user("a", `authorized_keys = ["${authorizedKey}"]\n targets = []\n commands = []`)).users,
    ).toMatchObject([{ targets: [], commands: [] }]);
  });

  test("stand beside the one of authorized_key, who is the first", () => {
    const { users } = server(user("erin", `authorized_keys = ["${other}"]`) + old);
    expect(users.map(({ name, keys }) => [name, keys.map(({ source }) => source)])).toEqual([
      ["jump", ["authorized_key"]],
      ["erin", ["authorized_keys item 1"]],
    ]);
  });

  test("one may be called jump where there is no authorized_key", () => {
    expect(server(user("jump")).users.map(({ name }) => name)).toEqual(["jump"]);
  });

  test.each<[string, string, string]>([
    [
      "nobody at all",
      "",
      'error: Missing required argument: The argument "authorized_key" or a block "user" is required',
    ],
    [
      "null for a key",
      "  authorized_key = null\n",
      'error: Missing required argument: The argument "authorized_key" or a block "user" is required',
    ],
    [
      "jump beside authorized_key",
      user("jump", `authorized_keys = ["${other}"]`) + old,
      'error: Duplicate user: The key in authorized_key is that of user "jump"',
    ],
    ["a name twice", user("a") + user("a"), 'error: Duplicate user: There is a user "a" already'],
    [
      "no keys",
      user("a", "max_machines = 1"),
      'error: User without keys: User "a" has no key that could log in',
    ],
    ["no key left", user("a", 'authorized_keys = ["nope"]'), "error: User without keys"],
    ["an empty name", user(""), "error: Invalid user name"],
    ["a name with a space", user("a b"), "error: Invalid user name"],
    ["a name like an option", user("-a"), "error: Invalid user name"],
    ["a name too long", user("a".repeat(65)), "error: Invalid user name"],
    [
      "a name that brings a target",
      user("boot+a"),
      'error: Invalid user name: Login names that begin with "boot+"',
    ],
    [
      "no name",
      `  user {\n    authorized_keys = ["${authorizedKey}"]\n  }\n`,
      "error: Missing name for user",
    ],
    [
      "two names",
      `  user "a" "b" {\n    authorized_keys = ["${authorizedKey}"]\n  }\n`,
      "error: Extraneous label for user",
    ],
    [
      "a text for a list",
      user("a", `authorized_keys = "${authorizedKey}"`),
      "error: Incorrect attribute value type",
    ],
    [
      "an unknown command",
      user("a", `authorized_keys = ["${authorizedKey}"]\n    commands = ["restart"]`),
      'error: Incorrect attribute value type: Inappropriate value for "commands". Item 1: It must be one of "status", "start", "stop".',
    ],
    [
      "no machines",
      user("a", `authorized_keys = ["${authorizedKey}"]\n    max_machines = 0`),
      "error: Incorrect attribute value type",
    ],
    [
      "an empty pattern",
      user("a", `authorized_keys = ["${authorizedKey}"]\n    targets = [""]`),
      "error: Incorrect attribute value type",
    ],
    [
      "a path for an authority",
      user("a", 'trusted_user_ca_keys = ["ca.pub"]'),
      'A path is not read: write file("PATH")',
    ],
    [
      "options before an authority",
      user("a", `trusted_user_ca_keys = ["restrict ${authority}"]`),
      "Options are not taken here",
    ],
    ["a file of keys that is not there", user("a", 'authorized_keys_file = "nowhere"'), 'There is no file "'],
    ["a folder for a file of keys", user("a", 'authorized_keys_file = "."'), "is not a regular file"],
    ["an empty path", user("a", 'authorized_keys_file = " "'), "A path must not be empty"],
  ])("%s: an error", (_what, body, expected) => {
    expect(load(body).config).toBeUndefined();
    expect(told(body)).toContainEqual(expect.stringContaining(expected));
  });

  test.each<[string, string | Buffer, string]>([
    ["too large", Buffer.alloc(4 * 1024 * 1024 + 1, 0x20), "is larger than 4 MiB"],
    ["not UTF-8", Buffer.from([0x23, 0xff]), "is not UTF-8 text (byte 1)"],
    ["empty", "", "User without keys"],
  ])("a file of keys that is %s: an error", (_what, content, expected) => {
    writeFileSync(join(folder, "keys"), content, { mode: 0o600 });
    const body = user("a", 'authorized_keys_file = "keys"');
    expect(told(body)).toEqual([expect.stringContaining(expected)]);
  });

  test("a key that is refused costs nobody else, and is told with its place", () => {
    const keys = `authorized_keys = ["${other}", "nope ${authority}", "restrict\\n\\nfrom=x ${authority}\\n"]`;
    expect(server(user("a", keys)).users[0]?.keys).toHaveLength(1);
    expect(told(user("a", keys))).toEqual([
      expect.stringMatching(
        /^warning: Key may not log in: authorized_keys item 2: There is no option "nope"\./,
      ),
      expect.stringMatching(
        /^warning: Key may not log in: authorized_keys item 3 line 1: There is no public key/,
      ),
      expect.stringMatching(
        /^warning: Key may not log in: authorized_keys item 3 line 3: The value of "from"/,
      ),
    ]);
  });

  test("a file that is none of keys does not bury what else is wrong", () => {
    writeFileSync(join(folder, "keys"), `${"nobody\n".repeat(500)}${authorizedKey}\n`, { mode: 0o600 });
    const all = told(user("a", 'authorized_keys_file = "keys"'));
    expect(all).toHaveLength(21);
    expect(all.at(-1)).toContain("Nor may those of 480 more lines.");
  });

  test("a key of two users is a warning, an authority of two is none", () => {
    const both = (name: string) =>
      user(name, `authorized_keys = ["${authorizedKey}"]\n trusted_user_ca_keys = ["${authority}"]`);
    expect(told(both("a") + both("b"))).toEqual([
      expect.stringMatching(
        /^warning: Key of two users: authorized_keys item 1: user "a" has the key SHA256:\S+ as well/,
      ),
    ]);
    expect(told(user("a") + old)).toEqual([expect.stringContaining('user "jump" has the key')]);
  });

  test("a pattern that no target fits is a warning", () => {
    const keys = `authorized_keys = ["${authorizedKey}"]\n`;
    expect(told(user("a", `${keys}targets = ["arch*", "web.dev", "w?b.*", "*"]`))).toEqual([]);
    expect(told(user("a", `${keys}targets = ["archive", "*.prod", "*"]`))).toEqual([
      'warning: No such target: There is no target that "archive", "*.prod" could mean, so that user "a" reaches nothing by it.',
    ]);
  });

  test("keys that others can write are a warning, in a file or a folder", () => {
    const inside = join(folder, "keys");
    mkdirSync(inside);
    const file = join(inside, "alice");
    writeFileSync(file, authorizedKey);
    const body = user("a", 'authorized_keys_file = "~/keys/alice"');
    chmodSync(inside, 0o755);
    chmodSync(file, 0o644);
    expect(told(body)).toEqual([]);
    chmodSync(file, 0o664);
    expect(told(body)).toEqual([expect.stringContaining(`Keys that others can change: "${file}"`)]);
    chmodSync(file, 0o600);
    chmodSync(inside, 0o777);
    expect(told(body)).toEqual([expect.stringContaining(`Keys that others can change: "${inside}"`)]);
  });
});

describe("authorized_key", () => {
  let keys: KeygenFolder;
  beforeAll(async () => {
    keys = await keygenFolder();
    await keys.make("weak", "rsa", 1024);
  });
  afterAll(() => keys[Symbol.asyncDispose]());

  test("may be that of a security key", () => {
    const line =
      "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAICFo/k5LU8863u66YC9eUO2170QduohPURkQnbLa/dczAAAABHNzaDo= token";
    expect(server(`  authorized_key = "${line}"\n`).users[0]?.keys[0]?.key).toMatchObject({
      type: "sk-ssh-ed25519@openssh.com",
      comment: "token",
    });
  });

  test("is refused when it is a short one of RSA, even if another stands behind it", () => {
    const body = `  authorized_key = "${keys.read("weak.pub").trim()}\\n${authorizedKey}"\n`;
    expect(told(body)).toEqual([expect.stringContaining("This RSA key has 1024 bits")]);
    expect(load(body).config).toBeUndefined();
  });
});

describe("files", () => {
  test("all that the configuration depends on are named, the ones that are not there too", async () => {
    const write = (name: string, content: string) =>
      writeFileSync(join(folder, name), content, { mode: 0o600 });
    write("host_key", hostKey);
    write("alice.pub", authorizedKey);
    write("alice.keys", other);
    write("revoked", "");
    write("data.tmpl", "x");
    const text = `server {
  host_key = file("host_key")
  revoked_keys_file = "revoked"
  group = templatefile("data.tmpl", {})
  user "alice" {
    authorized_keys = [file("alice.pub")]
    authorized_keys_file = "alice.keys"
  }
  user "bob" { authorized_keys_file = "bob.keys" }
}
${TARGETS}`;
    write("config.hcl", text);
    const file = join(folder, "config.hcl");
    const names = ["host_key", "revoked", "data.tmpl", "alice.pub", "alice.keys", "bob.keys"];
    const missing = await loadConfig({ file, env: {} });
    expect(missing.config).toBeUndefined();
    expect([...missing.files].sort()).toEqual([file, ...names.map((name) => join(folder, name))].sort());
    expect(missing.files[0]).toBe(file);
    write("bob.keys", `${authority}\n`);
    const there = await loadConfig({ file, env: {} });
    expect(there.config?.server.users.map(({ name }) => name)).toEqual(["alice", "bob"]);
    expect([...there.files].sort()).toEqual([...missing.files].sort());
  });

  test("a private key that is named as a file of keys is not shown", () => {
    writeFileSync(join(folder, "keys"), hostKey, { mode: 0o600 });
    const { diagnostics, sources } = load(user("a", 'authorized_keys_file = "keys"'));
    const shown = renderDiagnostics(diagnostics, sources);
    expect(shown).toContain("line 2: There is no public key in it");
    for (const line of hostKey.split("\n").slice(1, -1)) expect(shown).not.toContain(line.slice(0, 12));
  });
});

test("two patterns have a name in common, or none", () => {
  const table: readonly (readonly [string, string, boolean])[] = [
    ["a", "a", true],
    ["a", "b", false],
    ["*", "", true],
    ["?", "", false],
    ["a*", "*b", true],
    ["a*c", "ab*", true],
    ["*.dev", "*.prod", false],
    ["*.dev", "web.*", true],
    ["w?b.dev", "*.dev", true],
    ["a?", "?b", true],
    ["a?", "a", false],
    ["***", "x*", true],
    [`${"*a".repeat(100)}b`, `${"*a".repeat(100)}c`, false],
  ];
  for (const [a, b, expected] of table) {
    expect([a, b, intersect(a, b)]).toEqual([a, b, expected]);
    expect([b, a, intersect(b, a)]).toEqual([b, a, expected]);
  }
});
