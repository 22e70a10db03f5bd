import { createHash } from "node:crypto";
import { type FSWatcher, watch } from "node:fs";
import { lstat, readFile, readlink, stat } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import type { Clock } from "../util/clock.ts";

export interface FileWatchOptions {
  readonly clock: Clock;
  /** Files that may be others than they were; what they hold is for the caller to find out. Called after they have been left alone for a moment. */
  readonly onHint: () => void;
}

/** Notices that files may have changed, also those that are not there yet. */
export interface FileWatch extends Disposable {
  /** Takes the place of the files before. */
  watch(files: readonly string[]): Promise<void>;
}

/** An editor takes several steps to write a file, and a deployment several files. */
const QUIET_MS = 300;
/** However busy the files are, they are looked at this long after the first change. */
const MOST_MS = 3_000;
/** The kernel tells nothing of files of the network, and of some others: they are looked at all the same. */
const LOOK_MS = 15_000;

export function createFileWatch({ clock, onHint }: FileWatchOptions): FileWatch {
  const over = new AbortController();
  /** By folder. */
  const watchers = new Map<string, FSWatcher>();
  /** Names that matter in each folder. */
  let names: Places = new Map();
  let quiet: AbortController | undefined;
  let since = 0;

  /** After a while in which nothing else has changed. */
  const hint = (): void => {
    const now = clock.now();
    if (!quiet) since = now;
    quiet?.abort("again");
    const mine = new AbortController();
    quiet = mine;
    clock.sleep(Math.min(QUIET_MS, Math.max(since + MOST_MS - now, 0)), mine.signal).then(
      () => {
        quiet = undefined;
        if (!over.signal.aborted) onHint();
      },
      () => undefined,
    );
  };

  const look = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(LOOK_MS, over.signal);
      onHint();
    }
  };
  look().catch(() => undefined);

  const open = (folder: string): FSWatcher | undefined => {
    try {
      const watcher = watch(folder, { persistent: false }, (_, name) => {
        if (name === null || names.get(folder)?.has(name)) hint();
      });
      watcher.on("error", () => watcher.close());
      return watcher;
    } catch {
      return undefined; // not there, or there are too many already: it is looked at now and then
    }
  };

  return {
    async watch(files) {
      names = await placesOf(files);
      if (over.signal.aborted) return;
      // Anew, for a folder may be another of the same name.
      for (const watcher of watchers.values()) watcher.close();
      watchers.clear();
      for (const folder of names.keys()) {
        const watcher = open(folder);
        if (watcher) watchers.set(folder, watcher);
      }
    },
    [Symbol.dispose]() {
      over.abort("over");
      quiet?.abort("over");
      for (const watcher of watchers.values()) watcher.close();
    },
  };
}

/** Folders, each with the names in it on which files depend. */
type Places = Map<string, Set<string>>;

const MOST_LINKS = 40;

/**
 * A file is replaced in its own folder, or by replacing a link on the way to it: Kubernetes does so with `..data`, NixOS with
 * `/etc/static`.
 */
async function placesOf(files: readonly string[]): Promise<Places> {
  const places: Places = new Map();
  const add = (path: string) => {
    const folder = dirname(path);
    places.set(folder, (places.get(folder) ?? new Set()).add(basename(path)));
  };
  for (const file of files) {
    let path = resolve(file);
    for (let links = 0; links < MOST_LINKS; links++) {
      const link = await firstLink(path);
      if (!link) break;
      add(link.at);
      path = resolve(dirname(link.at), link.to, link.rest);
    }
    add(path);
  }
  return places;
}

async function firstLink(path: string): Promise<{ at: string; to: string; rest: string } | undefined> {
  const parts = path.split(sep);
  for (let count = 2; count <= parts.length; count++) {
    const at = parts.slice(0, count).join(sep);
    const found = await lstat(at).catch(() => undefined);
    if (!found) return undefined;
    if (!found.isSymbolicLink()) continue;
    const to = await readlink(at).catch(() => undefined);
    return to === undefined ? undefined : { at, to, rest: join(".", ...parts.slice(count)) };
  }
  return undefined;
}

/** What the files hold, as something to be compared. What is no ordinary file could be read only once, and counts as always the same. */
export async function fingerprint(files: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const file of files) {
    const content = (await isOrdinary(file)) ? await readFile(file).catch(() => undefined) : undefined;
    hash.update(`${content?.length ?? "none"} `);
    if (content) hash.update(content);
  }
  return hash.digest("hex");
}

/** Whether there is nothing of this name, or nobody can get there. */
export async function isGone(file: string): Promise<boolean> {
  return stat(file).then(
    () => false,
    () => true,
  );
}

export async function isOrdinary(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.isFile(),
    () => false,
  );
}
