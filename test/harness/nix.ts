import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../packaging/programs.ts";

/** Nix with a store of its own in this folder: no daemon, no network, nothing of the machine's configuration. */
export async function nixInstantiate(store: string, ...args: readonly string[]): Promise<string> {
  const dirs = Object.fromEntries(
    ["STORE", "STATE", "LOG", "CONF"].map((name) => [`NIX_${name}_DIR`, join(store, name.toLowerCase())]),
  );
  const conf = join(store, "conf");
  mkdirSync(conf, { recursive: true });
  writeFileSync(join(conf, "nix.conf"), "build-users-group =\nsubstituters =\n");
  return run("nix-instantiate", args, { env: { ...dirs, NIX_REMOTE: "local" } });
}
