import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { OPTION_NAMES } from "../../src/config/authorized-keys/options.ts";
import { allRows, type Table } from "../../src/config/decode/row.ts";
import { functions } from "../../src/config/evaluate/functions.ts";
import { loadFile, parseConfig } from "../../src/config/index.ts";
import { tables } from "../../src/config/schema/config.ts";
import { type KeygenFolder, keygenFolder } from "./keygen.ts";
import { authorizedKey, hostKey, server } from "./support.ts";

/** Files of the reader's that are about host keys, certificates and users. */
let folder: KeygenFolder;
beforeAll(async () => {
  folder = await keygenFolder();
  await folder.make("host_ed25519");
  await folder.make("host_rsa", "rsa", 2048);
  await folder.make("ca");
  await folder.run("-q", "-h", "-s", "ca", "-I", "lazyssh", "-n", "jump.example.org", "host_ed25519.pub");
  writeFileSync(join(folder.path, "alice.keys"), `${authorizedKey}\n`);
  writeFileSync(join(folder.path, "revoked"), "serial: 17\n");
});
afterAll(() => folder[Symbol.asyncDispose]());

const pages = ["docs", "docs/targets"].flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".md"))
    .map((name) => `${folder}/${name}`),
);
const examples = readdirSync("examples")
  .filter((name) => name.endsWith(".hcl"))
  .map((name) => `examples/${name}`);

test.each(examples)("%s loads without errors", async (file) => {
  const env = {
    LAZYSSH_HOST_KEY: hostKey,
    LAZYSSH_AUTHORIZED_KEY: authorizedKey,
    LAZYSSH_BEFORE_STOP_KEY: hostKey,
    EVENTS_KEY: "key",
  };
  const { config, jobs = [], diagnostics } = await loadFile({ file, env });
  expect(diagnostics).toEqual([]);
  expect(jobs.length + (config?.targets.length ?? 0)).toBeGreaterThan(0);
});

const snippets = pages.flatMap((page) =>
  [...readFileSync(page, "utf8").matchAll(/^```hcl\n([\s\S]*?)^```$/gm)].map((match, index) => ({
    name: `${basename(page)} #${index + 1}`,
    text: match[1] ?? "",
  })),
);

test.each(snippets.filter(({ text }) => /^(?:server|target|replicate|locals|variable)\b/m.test(text)))(
  "the manual's $name loads",
  ({ text }) => {
    // Keys in files of the reader's are stood in for by ours.
    const keyed = text
      .replace(/file\("(?![^"]*-cert)[^"]*\.pub"\)/g, `"${authorizedKey}"`)
      .replace(/(host_key|private_key) += file\("[^"]*"\)/g, `$1 = <<KEY\n${hostKey}\nKEY`);
    const whole = /^server\b/m.test(keyed) ? keyed : server + keyed;
    const options = { file: join(folder.path, "config.hcl"), env: { EVENTS_KEY: "key" } };
    const { diagnostics } = parseConfig(Buffer.from(whole), options);
    expect(diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
  },
);

test.each<[string, Table, readonly string[]]>([
  ["server", tables.server, ["docs/config.md"]],
  ["forward", tables.forward, ["docs/targets/forward.md"]],
  ["aws_ec2", tables.aws_ec2, ["docs/targets/aws_ec2.md", "docs/config.md"]],
  ["command", tables.command, ["docs/targets/command.md", "docs/config.md"]],
  ["replicate", tables.replicate, ["docs/config.md"]],
])("the manual has every argument and block of %s", (_type, table, files) => {
  const text = files.map((file) => readFileSync(file, "utf8")).join("\n");
  for (const row of allRows(table)) {
    expect(text).toMatch(
      row.kind === "block" ? `## \`${row.name}\`` : `| \`${row.name}\` | ${row.type.name} |`,
    );
  }
});

test("the manual has every option of a key", () => {
  const text = readFileSync("docs/config.md", "utf8").toLowerCase();
  for (const name of OPTION_NAMES)
    expect(text).toMatch(new RegExp(`\`${name.replace(/^no-(?!port|touch)/, "")}[=\`]`));
});

test("the manual has every function", () => {
  const text = readFileSync("docs/config.md", "utf8");
  for (const name of Object.keys(functions)) expect(text).toContain(`| \`${name}(`);
});
