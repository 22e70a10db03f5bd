import { readFileSync, type Stats, statSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { messageOf } from "../util/errors.ts";
import { decodeSource } from "./source.ts";

/** Larger than any list of keys; what is larger is something else. */
const LARGEST_BYTES = 4 * 1024 * 1024;
const WRITABLE_BY_OTHERS = 0o022;

export type FileRead<T> = { readonly content: T; readonly path: string } | { readonly problem: string };

/** The files that a configuration names, and which of them it has asked for. */
export class ConfigFiles {
  readonly #folder: string;
  readonly #home: string | undefined;
  readonly #paths = new Set<string>();

  /** Relative paths start from `folder`, `~/` at the `HOME` of `env`. */
  constructor(folder: string, env: Readonly<Record<string, string | undefined>>) {
    this.#folder = folder;
    this.#home = env.HOME;
  }

  /** All that were asked for, in this order, even when they could not be read: who waits for a change of them is served. */
  get paths(): readonly string[] {
    return [...this.#paths];
  }

  /** Where a file that is about to be read lies; it is among the paths from now on. */
  locate(given: string): string {
    const path = this.resolve(given);
    this.#paths.add(path);
    return path;
  }

  /** Where a file lies that others will read. */
  resolve(given: string): string {
    const expanded = given.startsWith("~/") && this.#home ? join(this.#home, given.slice(2)) : given;
    return isAbsolute(expanded) ? expanded : join(this.#folder, expanded);
  }

  /** The bytes of a file of at most 4 MiB. */
  bytes(given: string): FileRead<Buffer> {
    const path = this.locate(given);
    try {
      const info = statSync(path);
      if (!info.isFile()) return { problem: `"${path}" is not a regular file. Name another one.` };
      if (info.size > LARGEST_BYTES)
        return { problem: `"${path}" is larger than 4 MiB. Is it the right file?` };
      return { content: readFileSync(path), path };
    } catch (error) {
      return { problem: unreadable(path, error) };
    }
  }

  /** The text of such a file, which must be UTF-8. */
  text(given: string): FileRead<string> {
    const read = this.bytes(given);
    if ("problem" in read) return read;
    const decoded = decodeSource(read.path, read.content);
    if (decoded.ok) return { content: decoded.source.text, path: read.path };
    return {
      problem: `"${read.path}" is not UTF-8 text (byte ${decoded.badByte}). Is it the right file?`,
    };
  }

  /** Which of a file and its folder others than their owner may write to, if any: sshd's StrictModes looks at the same. */
  writableByOthers(path: string): string | undefined {
    return [path, dirname(path)].find((one) => ((modeOf(one)?.mode ?? 0) & WRITABLE_BY_OTHERS) !== 0);
  }
}

function modeOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function unreadable(path: string, error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "ENOENT":
      return `There is no file "${path}". Make it, or correct the path: a relative one starts at the folder of the configuration.`;
    case "EACCES":
      return `The user who runs lazyssh may not read "${path}". Change its owner or its mode, or those of its folders.`;
    default:
      return `Cannot read "${path}": ${messageOf(error)}.`;
  }
}
