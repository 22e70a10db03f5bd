import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generateKeyPair } from "./host-key.ts";

interface KeyFile {
  /** Path of the private key; the public one lies beside it as `.pub`. */
  readonly path: string;
  readonly private: string;
  /** An authorized_keys line without its newline. */
  readonly public: string;
}

/** The keys of a dev world. */
export interface WorldKeys {
  /** Host key of the jump server. */
  readonly jumpHost: KeyFile;
  /** Logs in to the jump server as `jump`. */
  readonly jumpClient: KeyFile;
  /** Host key of the machine behind target `archiver`. */
  readonly archiverHost: KeyFile;
  /** Logs in to instances; EC2 key pair `lazyssh-dev`. */
  readonly user: KeyFile;
}

/** Reads the keys in `DIR/keys`, and makes those that are missing; they never change once made. */
export function prepareKeys(dir: string): WorldKeys {
  const folder = join(dir, "keys");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const key = (name: string): KeyFile => {
    const path = join(folder, name);
    if (!existsSync(path)) {
      const pair = generateKeyPair(`lazyssh-dev-${name}`);
      writeFileSync(`${path}.pub`, `${pair.public.trim()}\n`, { mode: 0o600 });
      writeFileSync(path, `${pair.private.trim()}\n`, { mode: 0o600 });
    }
    return { path, private: readFileSync(path, "utf8"), public: readFileSync(`${path}.pub`, "utf8").trim() };
  };
  return {
    jumpHost: key("jump_host"),
    jumpClient: key("jump_client"),
    archiverHost: key("archiver_host"),
    user: key("user"),
  };
}
