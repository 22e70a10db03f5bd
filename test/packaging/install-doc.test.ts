import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/index.ts";
import { requires } from "../harness/requires.ts";
import { tempDir } from "../harness/temp.ts";
import { run } from "./programs.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const page = readFileSync(join(root, "docs/install.md"), "utf8");

/** Fenced blocks of one language, in the order of the page; "" for those without. */
function blocks(language: string): string[] {
  return [...page.matchAll(/^```(\w*)\n(.*?)^```$/gms)]
    .filter(([, found]) => found === language)
    .map(([, , text = ""]) => text);
}

const [makeKeys = "", ...commands] = blocks("sh");

describe("docs/install.md", () => {
  it("makes keys with which its config file loads, without a word of complaint", async () => {
    const dir = tempDir();
    await run("bash", ["-euc", makeKeys], { cwd: dir });
    const file = join(dir, "config.hcl");
    const [config = ""] = blocks("hcl");
    writeFileSync(file, config);
    const { diagnostics } = await loadConfig({ file, env: {}, vars: {} });
    expect(diagnostics).toEqual([]);
  });

  it("has commands that a shell understands", async () => {
    expect(commands.length).toBeGreaterThan(4);
    for (const command of commands) await run("bash", ["-n", "-c", command]);
  });

  it("has an ssh config that takes ssh to the target through the jump host", async () => {
    const file = join(tempDir(), "ssh_config");
    writeFileSync(file, blocks("").at(-1) ?? "");
    chmodSync(file, 0o600);
    const jump = await run("ssh", ["-F", file, "-G", "lazyssh"]);
    expect(jump).toMatch(/^hostname localhost$/m);
    expect(jump).toMatch(/^port 7922$/m);
    expect(jump).toMatch(/^user jump$/m);
    expect(await run("ssh", ["-F", file, "-G", "here"])).toMatch(/^proxyjump lazyssh$/m);
  });

  it("names files, and the version, that are there", () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    expect([...page.matchAll(/lazyssh-([\d.]+)\.tgz/g)].map(([, found]) => found)).toEqual([
      version,
      version,
    ]);
    for (const [, link = ""] of page.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
      expect(readFileSync(join(root, "docs", link), "utf8")).not.toBe("");
    }
  });

  requires("nix-instantiate")("has a flake that Nix understands", async () => {
    const file = join(tempDir(), "flake.nix");
    const [flake = ""] = blocks("nix");
    writeFileSync(file, flake);
    await run("nix-instantiate", ["--parse", file]);
  });
});

describe("the npm package", () => {
  it("holds the program, the manual and what it needs to be a service, and no tests", async () => {
    const packed = await run("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: root });
    const [{ files }] = JSON.parse(packed) as [{ files: { path: string; mode: number }[] }];
    const paths = files.map(({ path }) => path);
    expect(paths).toEqual(
      expect.arrayContaining([
        "dist/main.js",
        "docs/install.md",
        "examples/lazyssh.service",
        "examples/lazyssh.socket",
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
      ]),
    );
    expect(paths.filter((path) => /^(test|src|bench)\//.test(path))).toEqual([]);
  });
});
