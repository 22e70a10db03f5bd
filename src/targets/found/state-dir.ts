import { randomUUID } from "node:crypto";
import { access, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { writeDurably } from "../../util/durable.ts";
import { LazysshError, messageOf } from "../../util/errors.ts";
import { makeFolders } from "../../util/folder.ts";
import { type SocketLock, takeSocketLock } from "../../util/socket-lock.ts";

/** The folder where one server keeps what must survive it. Held by one process at a time. */
export interface StateDir {
  readonly path: string;
  /** Made once, at random, and kept: marks in the cloud what this server started. */
  readonly owner: string;
  close(): Promise<void>;
}

/** What marks in the cloud what a server has started: its own, or that of its group, by which all servers of it find it. */
export function ownerMark({ owner }: Pick<StateDir, "owner">, group: string | undefined): string {
  return group === undefined ? owner : `group:${group}`;
}

/** What a server is called among those of its group. */
export function serverId({ owner }: StateDir): string {
  return owner.slice(0, 8);
}

export interface StateDirChoice {
  /** As said by `--state-dir`, the config file or the environment. */
  readonly path: string;
  /** Nobody chose it: when it is another server's, the next free sibling (`…-2`, `…-3`) is as good. */
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
 * Makes the folder (mode 0700) and takes it; the kernel gives it up when its holder dies, however it dies.
 *
 * Two servers of one user, with a config file each and no folder chosen, keep theirs apart over restarts: each default
 * folder remembers the config file it serves, and is another's only when that file is gone.
 *
 * @param config The config file of the server.
 * @throws LazysshError `CONFIG_INVALID` when the folder cannot be written, or another server holds it.
 */
export async function openStateDir({ path, isDefault }: StateDirChoice, config: string): Promise<StateDir> {
  for (let sibling = 1; ; sibling++) {
    const candidate = siblingOf(path, sibling);
    const last = !isDefault || sibling === MOST_SIBLINGS;
    const lock = !last && (await servesAnother(candidate, config)) ? undefined : await take(candidate);
    if (lock) {
      if (isDefault) await writeDurably(join(candidate, "config"), `${resolve(config)}\n`);
      const owner = await ownerOf(candidate);
      return { path: candidate, owner, close: () => lock.close() };
    }
    if (last) {
      throw new LazysshError(
        "CONFIG_INVALID",
        `another lazyssh uses the state directory ${candidate}: end it, or give this one its own with --state-dir`,
      );
    }
  }
}

/** The one folder where the server of a config file has, or would have, its state. */
export async function stateDirOf(choice: StateDirChoice, config: string): Promise<StateDirChoice> {
  if (!choice.isDefault) return choice;
  for (let sibling = 1; sibling <= MOST_SIBLINGS; sibling++) {
    const path = siblingOf(choice.path, sibling);
    if ((await configOf(path)) === resolve(config)) return { path, isDefault: false };
  }
  return { path: choice.path, isDefault: false };
}

function siblingOf(path: string, sibling: number): string {
  return sibling === 1 ? path : `${path}-${sibling}`;
}

async function configOf(path: string): Promise<string | undefined> {
  const recorded = await readFile(join(path, "config"), "utf8").catch(() => undefined);
  return recorded?.trim() || undefined;
}

async function servesAnother(path: string, config: string): Promise<boolean> {
  const recorded = await configOf(path);
  if (recorded === undefined || recorded === resolve(config)) return false;
  return access(recorded).then(
    () => true,
    () => false,
  );
}

async function take(path: string): Promise<SocketLock | undefined> {
  try {
    await makeFolders(path, 0o700);
    const taking = await takeSocketLock({ folder: path, name: "lock" });
    return taking.kind === "taken" ? taking.lock : undefined;
  } catch (cause) {
    throw new LazysshError(
      "CONFIG_INVALID",
      `cannot use the state directory ${path}: ${messageOf(cause)}. Choose another with --state-dir`,
      { cause },
    );
  }
}

/** Who the server of a state directory is, without taking the directory; undefined when there was none yet. */
export async function knownOwner({ path }: StateDirChoice): Promise<string | undefined> {
  const known = (await readFile(join(path, "owner"), "utf8").catch(() => "")).trim();
  return /^[0-9a-f-]{36}$/.test(known) ? known : undefined;
}

async function ownerOf(path: string): Promise<string> {
  const known = await knownOwner({ path, isDefault: false });
  if (known !== undefined) return known;
  const owner = randomUUID();
  await writeDurably(join(path, "owner"), `${owner}\n`);
  return owner;
}
