import { once } from "node:events";
import { chmod, mkdir, rename, rm } from "node:fs/promises";
import type { Server } from "node:net";
import { join } from "node:path";
import { addressable } from "../util/socket-path.ts";

/**
 * Listens on a unix socket that at no moment anybody but its user can connect to: it is made in a folder that others
 * cannot enter, closed to them, and then put in its place, where it replaces what a dead server left. (The folder itself
 * may be open to others: who chose it decides. And the umask is the whole program's.)
 */
export async function bindPrivately(server: Server, folder: string, name: string): Promise<void> {
  const draft = join(folder, `.${name}`);
  await rm(draft, { recursive: true, force: true });
  try {
    await mkdir(draft, { mode: 0o700 });
    const socket = join(draft, "s");
    server.listen(addressable(socket));
    await once(server, "listening");
    await chmod(socket, 0o600);
    await rename(socket, join(folder, name));
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}
