import { execFile } from "node:child_process";
import { copyFile, readFile } from "node:fs/promises";
import { promisify } from "node:util";
import type { PublicKey } from "../../src/config/types.ts";
import type { KeyFiles } from "./ssh.ts";

const run = promisify(execFile);
let certificates = 0;

/** Has `authority` sign a host certificate of `key`; further arguments are those of ssh-keygen. */
export function hostCertificate(
  authority: KeyFiles,
  key: KeyFiles,
  ...more: readonly string[]
): Promise<PublicKey> {
  return certificate(authority, key, "-h", ...more);
}

/** The same for a user. */
export function userCertificate(
  authority: KeyFiles,
  key: KeyFiles,
  ...more: readonly string[]
): Promise<PublicKey> {
  return certificate(authority, key, ...more);
}

async function certificate(authority: KeyFiles, key: KeyFiles, ...more: string[]): Promise<PublicKey> {
  const path = `${key.path}-${certificates++}`;
  await copyFile(`${key.path}.pub`, `${path}.pub`);
  await run("ssh-keygen", [
    "-q",
    "-s",
    authority.path,
    "-I",
    "id",
    "-n",
    "127.0.0.1",
    ...more,
    `${path}.pub`,
  ]);
  const [type = "", base64 = ""] = (await readFile(`${path}-cert.pub`, "utf8")).split(" ");
  return { type, blob: Buffer.from(base64, "base64"), comment: "" };
}
