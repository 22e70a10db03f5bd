import { spawn } from "node:child_process";
import { environment } from "./environment.ts";
import type { GuestConfig } from "./messages.ts";
import type { ProcessGroups } from "./processes.ts";

/** Runs the boot program, where there is one, as root's: what it prints is the console's, and it ends with the machine. */
export function boot(config: GuestConfig, groups: ProcessGroups): void {
  if (config.boot === undefined) return;
  const child = spawn(config.boot, [], {
    cwd: config.home,
    env: environment(config, "root"),
    detached: true,
    stdio: ["ignore", "inherit", "inherit"],
  });
  groups.add(child);
  child.once("error", (error) => process.stderr.write(`boot program not run: ${error.message}\n`));
  child.once("exit", (code, signal) => {
    if (code !== 0) process.stderr.write(`boot program ended: ${signal ?? `status ${code}`}\n`);
  });
}
