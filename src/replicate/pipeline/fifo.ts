import { execFile } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/**
 * The two pipes between a stage, what carries the bytes on, and the next stage, as descriptors. They are pipes of the
 * kernel, and not the socket pairs that Node gives its children: the kernel's part of `zfs send` and `zfs recv` writes and
 * reads at the file's position, which Linux refuses for sockets (ESPIPE, `sock_write_iter`).
 */
export interface Link {
  /** For the stage before: blocks, as programs expect. */
  readonly stdout: number;
  /** What it writes is read here. Does not block, nor do `sink` and `rest`. */
  readonly source: number;
  /** What is written here, the stage after reads. */
  readonly sink: number;
  /** For the stage after. */
  readonly stdin: number;
  /** Reads the same pipe. */
  readonly rest: number;
}

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;

/** Nameless by the time they are returned. All their descriptors are the caller's to close. */
export async function makeLinks(count: number): Promise<Link[]> {
  const folder = await mkdtemp(join(tmpdir(), "lazyssh-pipe-"));
  const opened: number[] = [];
  const open = (path: string, flags: number) => {
    const descriptor = openSync(path, flags);
    opened.push(descriptor);
    return descriptor;
  };
  try {
    const paths = Array.from({ length: 2 * count }, (_, index) => join(folder, String(index)));
    await promisify(execFile)("mkfifo", ["-m", "600", ...paths]);
    return Array.from({ length: count }, (_, index) => {
      const [before = "", after = ""] = paths.slice(2 * index);
      // In this order none of them waits for another end to be opened. Each is a file description of its own.
      const source = open(before, O_RDONLY | O_NONBLOCK);
      const rest = open(after, O_RDONLY | O_NONBLOCK);
      return {
        source,
        rest,
        stdout: open(before, O_WRONLY),
        sink: open(after, O_WRONLY | O_NONBLOCK),
        stdin: open(after, O_RDONLY),
      };
    });
  } catch (error) {
    for (const descriptor of opened) closeSync(descriptor);
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
