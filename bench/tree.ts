import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The built program, and the Node that runs it. */
export interface Tree extends Disposable {
  readonly node: string;
  readonly main: string;
  readonly version: string;
}

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/**
 * The program as it was built here; for another Node a copy of it, with ssh2's native ciphers built for that Node.
 *
 * @param node Path of a `node`; its headers are taken from `include/` beside its `bin/`, where they are.
 */
export function treeFor(node: string | undefined): Tree {
  if (node === undefined) {
    return {
      node: process.execPath,
      main: join(ROOT, "dist/main.js"),
      version: process.version,
      [Symbol.dispose]: () => undefined,
    };
  }
  const path = resolve(node);
  const version = execFileSync(path, ["--version"], { encoding: "utf8" }).trim();
  const copy = mkdtempSync(join(tmpdir(), "lazyssh-bench-tree-"));
  for (const name of ["package.json", "dist"])
    cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  cpSync(join(ROOT, "node_modules"), join(copy, "node_modules"), { recursive: true, verbatimSymlinks: true });
  rebuild(path, copy);
  return {
    node: path,
    main: join(copy, "dist/main.js"),
    version,
    [Symbol.dispose]: () => rmSync(copy, { recursive: true, force: true }),
  };
}

function rebuild(node: string, tree: string): void {
  const prefix = dirname(dirname(node));
  const bin = mkdtempSync(join(tree, "bin-"));
  symlinkSync(node, join(bin, "node"));
  const env = {
    ...process.env,
    PATH: `${bin}:${process.env.PATH ?? ""}`,
    ...(existsSync(join(prefix, "include/node/node.h")) && { npm_config_nodedir: prefix }),
  };
  execFileSync("npm", ["rebuild", "ssh2"], { cwd: tree, env, stdio: ["ignore", "ignore", "inherit"] });
}
