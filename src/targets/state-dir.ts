import { randomUUID } from "node:crypto";
import { mkdir, readFile, rm } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { homedir } from "node:os";
import { join, relative, resolve } from "node:path";
import { writeDurably } from "../util/durable.ts";
import { LazysshError, messageOf } from "../util/errors.ts";

/** The folder where one server keeps what must survive it. Held by one process at a time. */
export interface StateDir {
  readonly path: string;
  /** Made once, at random, and kept: marks in the cloud what this server started. */
  readonly owner: string;
  close(): Promise<void>;
}

export interface StateDirChoice {
  /** As said by `--state-dir`, the config file or the environment. */
  readonly path: string;
  /** Nobody chose it: when another server holds it, the next free sibling (`…-2`, `…-3`) is as good. */
  readonly isDefault: boolean;
}

const MOST_SIBLINGS = 16;

/** `--state-dir`, else the config file's `state_dir`, else `$STATE_DIRECTORY` (systemd), else under `$XDG_STATE_HOME`. */
export function chooseStateDir(
  said: { readonly flag: string | undefined; readonly config: string | undefined },
  env: Readonly<Record<string, string | undefined>>,
): StateDirChoice {
  // systemd joins several StateDirectory= entries with colons; the first is ours.
  const chosen = said.flag || said.config || env.STATE_DIRECTORY?.split(":")[0];
  if (chosen) return { path: resolve(chosen), isDefault: false };
  const base = env.XDG_STATE_HOME || join(env.HOME || homedir(), ".local", "state");
  return { path: resolve(base, "lazyssh"), isDefault: true };
}

/**
 * Makes the folder (mode 0700) and takes it. The lock is a listening unix socket, because the kernel gives it up when
 * its holder dies, however it dies.
 *
 * @throws LazysshError `CONFIG_INVALID` when the folder cannot be written, or another server holds it.
 */
export async function openStateDir({ path, isDefault }: StateDirChoice): Promise<StateDir> {
  for (let sibling = 1; ; sibling++) {
    const candidate = sibling === 1 ? path : `${path}-${sibling}`;
    const lock = await take(candidate);
    if (lock) {
      const owner = await ownerOf(candidate);
      return { path: candidate, owner, close: () => new Promise((done) => lock.close(() => done())) };
    }
    if (!isDefault || sibling === MOST_SIBLINGS) {
      throw new LazysshError(
        "CONFIG_INVALID",
        `another lazyssh uses the state directory ${candidate}: end it, or give this one its own with --state-dir`,
      );
    }
  }
}

async function take(path: string): Promise<Server | undefined> {
  try {
    const socket = addressable(join(path, "lock"));
    await mkdir(path, { recursive: true, mode: 0o700 });
    if (await answers(socket)) return undefined;
    await rm(socket, { force: true });
    const server = createServer((client) => client.destroy());
    await new Promise<void>((done, fail) => {
      server.once("error", fail);
      server.listen(socket, done);
    });
    server.unref();
    return server;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EADDRINUSE") return undefined;
    throw new LazysshError(
      "CONFIG_INVALID",
      `cannot use the state directory ${path}: ${messageOf(cause)}. Choose another with --state-dir`,
      { cause },
    );
  }
}

/** A socket's address holds 107 bytes on Linux, 103 elsewhere; from where we stand the path may be shorter. */
function addressable(socket: string): string {
  if (Buffer.byteLength(socket) <= 103) return socket;
  const near = relative(process.cwd(), socket);
  if (Buffer.byteLength(near) <= 103) return near;
  throw new Error("the path is longer than the 90 bytes that leave room for a socket in it");
}

function answers(socket: string): Promise<boolean> {
  return new Promise((done) => {
    const probe = connect(socket);
    probe.once("connect", () => {
      probe.destroy();
      done(true);
    });
    probe.once("error", () => done(false));
  });
}

async function ownerOf(path: string): Promise<string> {
  const file = join(path, "owner");
  const known = (await readFile(file, "utf8").catch(() => "")).trim();
  if (/^[0-9a-f-]{36}$/.test(known)) return known;
  const owner = randomUUID();
  await writeDurably(file, `${owner}\n`);
  return owner;
}
