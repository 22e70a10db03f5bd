import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A folder in which the real `ssh-keygen` works. */
export interface KeygenFolder extends AsyncDisposable {
  readonly path: string;
  /** A new key pair, NAME and NAME.pub; answers the public line. */
  make(name: string, type?: "ed25519" | "ecdsa" | "rsa", bits?: number): Promise<string>;
  /** Any other use of it. */
  run(...words: string[]): Promise<string>;
  read(name: string): string;
}

export async function keygenFolder(): Promise<KeygenFolder> {
  const path = await mkdtemp(join(tmpdir(), "lazyssh-keygen-"));
  const keygen = async (...words: string[]) => (await run("ssh-keygen", words, { cwd: path })).stdout;
  const read = (name: string) => readFileSync(join(path, name), "utf8");
  return {
    path,
    async make(name, type = "ed25519", bits) {
      const size = bits === undefined ? [] : ["-b", String(bits)];
      await keygen("-q", "-t", type, ...size, "-N", "", "-C", name, "-f", name);
      return read(`${name}.pub`).trim();
    },
    run: keygen,
    read,
    async [Symbol.asyncDispose]() {
      await rm(path, { recursive: true, force: true });
    },
  };
}
