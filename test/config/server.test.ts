import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DEFAULT_LIMITS_CONFIG, type LimitsConfig } from "../../src/config/access.ts";
import { parseConfig, renderDiagnostics } from "../../src/config/index.ts";
import type { ServerConfig } from "../../src/config/types.ts";
import { type KeygenFolder, keygenFolder } from "./keygen.ts";
import { authorizedKey } from "./support.ts";

let keys: KeygenFolder;
beforeAll(async () => {
  keys = await keygenFolder();
  await Promise.all([
    keys.make("ed"),
    keys.make("ed2"),
    keys.make("ec", "ecdsa", 256),
    keys.make("ec384", "ecdsa", 384),
    keys.make("rsa", "rsa", 2048),
    keys.make("weak", "rsa", 1024),
    keys.make("ca"),
  ]);
  const sign = (name: string, ...words: string[]) =>
    keys.run("-q", "-s", "ca", "-I", name, "-n", "jump", ...words, `${name}.pub`);
  await Promise.all(["ed", "ec", "rsa", "ec384"].map((name) => sign(name, "-h")));
  await sign("ed2");
});
afterAll(() => keys[Symbol.asyncDispose]());

function load(body: string) {
  const text = `server {\n  authorized_key = "${authorizedKey}"\n${body}\n}\ntarget "a" "forward" { to = "h" }\n`;
  return parseConfig(Buffer.from(text), { file: join(keys.path, "config.hcl"), env: {} });
}

function server(body: string): ServerConfig {
  const { config, diagnostics } = load(body);
  if (config === undefined) throw new Error(JSON.stringify(diagnostics));
  return config.server;
}

const errors = (body: string) => load(body).diagnostics.map(({ summary, detail }) => `${summary}: ${detail}`);
const files = (...names: string[]) => `[${names.map((name) => `file("${name}")`).join(", ")}]`;

describe("host keys", () => {
  const given = (body: string) =>
    server(body).hostKeys.map(({ key, certificate }) => [key.trim(), certificate?.type]);
  const text = (name: string) => keys.read(name).trim();

  test("one, several, or both ways, each once", () => {
    expect(given('host_key = file("ed")')).toEqual([[text("ed"), undefined]]);
    expect(given(`host_keys = ${files("rsa", "ed", "ec", "ec384")}`).map(([key]) => key)).toEqual(
      ["rsa", "ed", "ec", "ec384"].map(text),
    );
    expect(given(`host_key = file("ed")\nhost_keys = ${files("ed", "rsa")}`).map(([key]) => key)).toEqual(
      ["ed", "rsa"].map(text),
    );
  });

  test("certificates find their keys, in any order", () => {
    const body = `host_keys = ${files("ed", "rsa", "ec", "ec384")}\nhost_certificates = ${files("ec-cert.pub", "rsa-cert.pub", "ed-cert.pub")}`;
    expect(given(body).map(([, certificate]) => certificate)).toEqual([
      "ssh-ed25519-cert-v01@openssh.com",
      "ssh-rsa-cert-v01@openssh.com",
      "ecdsa-sha2-nistp256-cert-v01@openssh.com",
      undefined,
    ]);
    const [first] = server(body).hostKeys;
    expect(first?.certificate?.blob.toString("base64")).toBe(keys.read("ed-cert.pub").split(" ")[1]);
  });

  test.each<[string, string, string]>([
    ["none", "", 'The argument "host_key" or "host_keys" is required'],
    ["null", "host_keys = null", 'One of "host_key" and "host_keys" is needed.'],
    ["an empty list", "host_keys = []", "There is no key in it."],
    ["a public key", `host_keys = ${files("ed.pub")}`, "Item 1: A private key is needed"],
    [
      "a short RSA key",
      'host_key = file("weak")',
      'This RSA key has 1024 bits; keys of less than 2048 can be broken. Make a new one with: ssh-keygen -t ed25519 -N "" -f host_key',
    ],
    [
      "a short RSA key among others",
      `host_keys = ${files("ed", "weak")}`,
      "Item 2: This RSA key has 1024 bits",
    ],
    [
      "a certificate of another key",
      `host_key = file("rsa")\nhost_certificates = ${files("ed-cert.pub")}`,
      "Certificate without its key: The certificate of the key SHA256:",
    ],
    [
      "a certificate for a user",
      `host_key = file("ed2")\nhost_certificates = ${files("ed2-cert.pub")}`,
      "Item 1: This is a certificate for a user.",
    ],
    [
      "two certificates of one key",
      `host_key = file("ed")\nhost_certificates = ${files("ed-cert.pub", "ed-cert.pub")}`,
      "Two certificates of one key",
    ],
    [
      "a public key for a certificate",
      `host_key = file("ed")\nhost_certificates = ${files("ed.pub")}`,
      "Item 1: A host certificate is needed",
    ],
    [
      "a damaged certificate",
      'host_key = file("ed")\nhost_certificates = ["ssh-ed25519-cert-v01@openssh.com AAAA"]',
      "Item 1: This certificate is damaged",
    ],
  ])("%s: an error", (_what, body, expected) => {
    expect(load(body).config).toBeUndefined();
    expect(errors(body)).toContainEqual(expect.stringContaining(expected));
  });

  test("two of one type are both there, in their order, and the same one counts once", () => {
    const { config } = load(`host_keys = ${files("ed2", "ed", "ed2")}`);
    expect(config?.server.hostKeys.map(({ key }) => key)).toEqual([keys.read("ed2"), keys.read("ed")]);
  });

  test("a literal key in host_keys is not shown when something is wrong beside it", () => {
    const key = keys.read("ed").trim();
    const { diagnostics, sources } = load(`  host_keys = [<<KEY\n${key}\nKEY\n  , "secret"]`);
    const shown = renderDiagnostics(diagnostics, sources);
    expect(shown).toContain("(sensitive value)");
    for (const line of [...key.split("\n").slice(1, -1), 'secret"']) expect(shown).not.toContain(line);
  });
});

describe("limits", () => {
  const limits = (body: string) => server(`host_key = file("ed")\nlimits {\n${body}\n}`).limits;

  test("have their defaults, with and without the block", () => {
    expect(server('host_key = file("ed")').limits).toEqual(DEFAULT_LIMITS_CONFIG);
    expect(limits("")).toEqual(DEFAULT_LIMITS_CONFIG);
  });

  test.each<[string, Partial<LimitsConfig>]>([
    ['login_grace = "10s"', { loginGraceMs: 10_000 }],
    ["max_auth_tries = 3", { authTries: 3 }],
    ['max_startups = "10:50:60"', { startups: { begin: 10, rate: 50, full: 60 } }],
    ['max_startups = "10:100:10"', { startups: { begin: 10, rate: 100, full: 10 } }],
    ["max_startups = 20", { startups: { begin: 20, rate: 100, full: 20 } }],
    ["max_connections = 5", { connections: 5 }],
    ["max_channels = 8", { channels: 8 }],
    ['client_timeout = "2m"', { clientTimeoutMs: 120_000 }],
    ['rekey_bytes = "512MiB"', { rekeyBytes: 512 * 1024 ** 2 }],
    ['rekey_bytes = "1.5 gib"', { rekeyBytes: 1.5 * 1024 ** 3 }],
    ['rekey_bytes = "2048K"', { rekeyBytes: 2 * 1024 ** 2 }],
    ["rekey_bytes = 1048576", { rekeyBytes: 1024 ** 2 }],
    ['rekey_interval = "30m"', { rekeyMs: 1_800_000 }],
  ])("%s", (body, expected) => {
    expect(limits(body)).toEqual({ ...DEFAULT_LIMITS_CONFIG, ...expected });
  });

  test.each<[string, string]>([
    ['login_grace = "0s"', 'It must be between "1s" and "1h".'],
    ['login_grace = "2h"', 'It must be between "1s" and "1h".'],
    ["max_auth_tries = 0", "between 1 and 100"],
    ['max_startups = "10:50"', '"BEGIN:PERCENT:FULL" is needed'],
    ['max_startups = "0:50:60"', "between 1 and 100000"],
    ['max_startups = "10:0:60"', "percent, from 1 to 100"],
    ['max_startups = "10:101:60"', "percent, from 1 to 100"],
    ['max_startups = "60:50:10"', "must not be less than the first"],
    ["max_startups = 1000000", "between 1 and 100000"],
    ["max_startups = true", "BEGIN:PERCENT:FULL"],
    ["max_connections = 0", "between 1 and 100000"],
    ["max_channels = 0.5", "between 1 and 65536"],
    ['client_timeout = "0"', 'It must be between "1s" and "24h".'],
    ['rekey_bytes = "1023KiB"', 'It must be between "1MiB" and "64GiB".'],
    ['rekey_bytes = "65GiB"', 'It must be between "1MiB" and "64GiB".'],
    ['rekey_bytes = "1TB"', 'A size such as "1GiB"'],
    ['rekey_bytes = "many"', 'A size such as "1GiB"'],
    ["rekey_bytes = -1", 'A size such as "1GiB"'],
    ['rekey_interval = "25h"', 'It must be between "1s" and "24h".'],
    ["limits {}", "Blocks of type"],
    ["max_chanels = 1", 'Did you mean "max_channels"?'],
  ])("refused: %s", (body, words) => {
    expect(errors(`host_key = file("ed")\nlimits {\n${body}\n}`)).toContainEqual(
      expect.stringContaining(words),
    );
  });

  test("there is one block of them", () => {
    expect(errors('host_key = file("ed")\nlimits {}\nlimits {}')).toEqual([
      expect.stringContaining("Too many limits"),
    ]);
  });
});

describe("drain_timeout", () => {
  test("is nothing by default", () => {
    expect(server('host_key = file("ed")').drainMs).toBe(0);
    expect(server('host_key = file("ed")\ndrain_timeout = "10m"').drainMs).toBe(600_000);
    expect(errors('host_key = file("ed")\ndrain_timeout = "25h"')).toEqual([
      expect.stringContaining('"24h"'),
    ]);
  });
});

describe("revoked_keys_file", () => {
  const body = (name: string) => `host_key = file("ed")\nrevoked_keys_file = "${name}"`;
  const write = (name: string, content: string | Buffer) => writeFileSync(join(keys.path, name), content);

  test("is read, in either form", async () => {
    write("list", `serial: 7\n${keys.read("ed2.pub")}`);
    const { revoked } = server(body("list"));
    expect(revoked.serials).toEqual([{ authority: undefined, from: 7n, to: 7n }]);
    await keys.run("-q", "-k", "-f", "krl", "-s", "none", "list");
    expect(server(body("krl")).revoked).toEqual(revoked);
  });

  test("nothing is revoked without it, or when it is empty", () => {
    write("empty", "# nobody\n");
    expect(server(body("empty")).revoked).toEqual({ keys: new Set(), serials: [], ids: [] });
    expect(server('host_key = file("ed")').revoked).toEqual({ keys: new Set(), serials: [], ids: [] });
  });

  test("what is not understood is an error, with file and line", () => {
    write("bad", "serial: 7\n\nnobody\n");
    expect(errors(body("bad"))).toEqual([
      expect.stringContaining(
        `"${join(keys.path, "bad")}" cannot be read: line 3: it is neither a public key nor an entry`,
      ),
    ]);
    write("large", Buffer.alloc(4 * 1024 * 1024 + 1, 0x23));
    expect(errors(body("large"))).toEqual([expect.stringContaining("is larger than 4 MiB")]);
    expect(errors(body("nowhere"))).toEqual([expect.stringContaining("There is no file")]);
  });
});
