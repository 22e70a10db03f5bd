import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Need, requires } from "./requires.ts";

const ROOT: Need = { name: "root, for a mount namespace", isHere: process.getuid?.() === 0 };
const FUSE: Need = { name: "/dev/fuse", isHere: existsSync("/dev/fuse") };

/** A `test` that has real pools: needs root, FUSE and zfs-fuse, and no kernel module. */
export const testWithZfs = requires("zfs-fuse", "zfs", "zpool", "nsenter", "unshare", "setpriv", ROOT, FUSE);

/** Where a program of the system's administrator is; those of zfs-fuse are in a folder that not every PATH has. */
export function systemProgram(name: string): string {
  const folders = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin"];
  const path = folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
  if (path === undefined) throw new Error(`${name} is not installed`);
  return path;
}
