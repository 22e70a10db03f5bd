import { cpSync, existsSync, lstatSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { run } from "./programs.ts";

/** What {@link makeBaseImage} takes from the machine it runs on, beside docker: Debian's package tools, and a compiler. */
export const baseImagePrograms = ["apt-cache", "dpkg-query", "tar", "npm", "g++", "make"] as const;

const PACKAGES = ["g++", "make", "python3", "ca-certificates", "bash", "coreutils", "dash", "sed", "grep"];

/** Of no use in an image, or not a package's own. */
const LEFT_OUT = /^\/(etc|var|usr\/share\/(doc|man|locale|info|lintian|bug))(\/|$)/;

/**
 * Makes a Docker image like the official ones of Node (a user `node` with id 1000, Node below /usr/local with npm and its
 * headers, a compiler) out of the Debian packages installed here and the Node that runs this: no image need be fetched.
 *
 * @param folder - Empty, for the parts; about 500 MB.
 */
export async function makeBaseImage(tag: string, folder: string): Promise<void> {
  const archive = join(folder, "base.tar");
  const list = join(folder, "files");
  writeFileSync(list, (await packageFiles()).map((file) => `.${file}\n`).join(""));
  await run("tar", ["-C", "/", "--create", "--no-recursion", "--files-from", list, "--file", archive]);
  const rest = join(folder, "rest");
  await layOutRest(rest);
  await run("tar", ["-C", rest, "--append", "--owner=0", "--group=0", "--file", archive, "."]);
  const registry = (await run("npm", ["config", "get", "registry"])).trim();
  const env = {
    PATH: "/usr/local/bin:/usr/bin:/bin",
    NODE_EXTRA_CA_CERTS: "/etc/ssl/certs/ca-certificates.crt",
    npm_config_registry: registry,
  };
  const changes = Object.entries(env).flatMap(([name, value]) => ["--change", `ENV ${name}=${value}`]);
  await run("docker", ["import", ...changes, archive, tag], { timeoutMs: 120_000 });
}

/** Files and links of {@link PACKAGES} and all that they depend on, by their names below /usr. */
async function packageFiles(): Promise<string[]> {
  const only = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"].map(
    (no) => `--no-${no}`,
  );
  const tree = await run("apt-cache", ["depends", "--recurse", "--installed", ...only, ...PACKAGES]);
  const names = new Set(tree.split("\n").filter((line) => /^[a-z0-9]/.test(line)));
  const files = (await run("dpkg-query", ["--listfiles", ...names])).split("\n");
  const merged = files
    .filter((file) => !LEFT_OUT.test(file))
    .map((file) => file.replace(/^\/(bin|sbin|lib|lib64)\//, "/usr/$1/"))
    .filter((file) => file.startsWith("/usr/") && existsSync(file) && !lstatSync(file).isDirectory());
  return [...new Set(merged)].sort();
}

/** What belongs to no package: users, links of the merged /usr, certificates, and Node itself. */
async function layOutRest(rest: string): Promise<void> {
  for (const dir of [
    "etc/ssl/certs",
    "home/node",
    "root",
    "proc",
    "sys",
    "dev",
    "tmp",
    "var/lib",
    "usr/local/bin",
  ]) {
    mkdirSync(join(rest, dir), { recursive: true });
  }
  for (const dir of ["bin", "sbin", "lib", "lib64"]) symlinkSync(`usr/${dir}`, join(rest, dir));
  writeFileSync(
    join(rest, "etc/passwd"),
    "root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n",
  );
  writeFileSync(join(rest, "etc/group"), "root:x:0:\nnode:x:1000:\n");
  cpSync("/etc/alternatives", join(rest, "etc/alternatives"), { recursive: true, verbatimSymlinks: true });
  const certificates = "etc/ssl/certs/ca-certificates.crt";
  cpSync(realpathSync(`/${certificates}`), join(rest, certificates));

  const local = join(rest, "usr/local");
  const node = realpathSync(process.execPath);
  cpSync(node, join(local, "bin/node"));
  cpSync(resolve(node, "../../include/node"), join(local, "include/node"), { recursive: true });
  const npm = realpathSync((await run("sh", ["-c", "command -v npm"])).trim());
  cpSync(dirname(dirname(npm)), join(local, "lib/node_modules/npm"), { recursive: true });
  symlinkSync("../lib/node_modules/npm/bin/npm-cli.js", join(local, "bin/npm"));
}
