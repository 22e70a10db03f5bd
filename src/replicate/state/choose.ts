import { homedir } from "node:os";
import { join, resolve } from "node:path";

/**
 * The folder where runs are remembered: `replicate` in `--state-dir`, else in the first of `$STATE_DIRECTORY` (systemd joins
 * several with colons), else in `lazyssh` under `$XDG_STATE_HOME`, which is `~/.local/state` when it is not set. A folder of its own, so
 * that a server that keeps its state in the same place holds no lock that a run would want.
 */
export function chooseReplicateDir(
  { flag }: { readonly flag: string | undefined },
  env: Readonly<Record<string, string | undefined>>,
): string {
  const chosen = flag || env.STATE_DIRECTORY?.split(":")[0];
  if (chosen) return resolve(chosen, "replicate");
  const base = env.XDG_STATE_HOME || join(env.HOME || homedir(), ".local", "state");
  return resolve(base, "lazyssh", "replicate");
}
