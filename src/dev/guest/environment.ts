import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import type { GuestConfig } from "./messages.ts";

/** What the programs of a guest find set; nothing of it but PATH and LANG is from the world's own environment. */
export function environment(config: GuestConfig, user: string): Record<string, string> {
  const { home, instanceId } = config;
  const volume = join(home, "volume");
  const path = process.env.PATH ?? "/usr/local/bin:/usr/bin:/bin";
  return {
    HOME: home,
    USER: user,
    LOGNAME: user,
    SHELL: interactiveShell(),
    // Looked up when a command is: the boot program may still be putting things there.
    PATH: `${join(home, "bin")}:${path}`,
    ...(process.env.LANG && { LANG: process.env.LANG }),
    PS1: `${user}@${instanceId} $ `,
    LAZYSSH_INSTANCE: instanceId,
    ...(exists(volume, constants.F_OK) && { LAZYSSH_VOLUME: volume }),
  };
}

export function interactiveShell(): string {
  const { SHELL } = process.env;
  return SHELL !== undefined && exists(SHELL, constants.X_OK) ? SHELL : "/bin/sh";
}

function exists(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}
