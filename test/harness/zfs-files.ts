import { createCipheriv, createHash } from "node:crypto";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { eventually } from "./world.ts";
import type { Zfs } from "./zfs.ts";

/** What is in a dataset: by path, "folder", "→ TARGET" of a link, or mode, size and SHA-256 of a file. */
export type Files = Readonly<Record<string, string>>;

let clones = 0;

/**
 * All that is in a snapshot, or in a mounted dataset as it is now; to compare two sides file by file. A snapshot is
 * looked at through a clone, which is gone afterwards, so that its dataset need not be mounted nor have a mountpoint.
 */
export async function files(world: Zfs, name: string): Promise<Files> {
  if (!name.includes("@")) return listed(await world.mount(name));
  const [pool = ""] = name.split(/[/@]/);
  const clone = `${pool}/looked-at-${++clones}`;
  await world.zfs("clone", "-o", `mountpoint=/${clone}`, "-o", "canmount=on", name, clone);
  try {
    return listed(await world.mount(clone));
  } finally {
    // The daemon hears that a file was closed some time after it was.
    await eventually(`${clone} to be let go`, () =>
      world.zfs("destroy", clone).then(
        () => true,
        (error: Error) => {
          if (error.message.includes("busy")) return false;
          throw error;
        },
      ),
    );
  }
}

function listed(root: string): Files {
  const found: Record<string, string> = {};
  const look = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = join(folder, entry.name);
      const full = join(root, path);
      if (entry.isDirectory()) {
        found[path] = "folder";
        look(path);
      } else if (entry.isSymbolicLink()) {
        found[path] = `→ ${readlinkSync(full)}`;
      } else {
        const { mode, size } = statSync(full);
        const digest = createHash("sha256").update(readFileSync(full)).digest("hex");
        found[path] = `${(mode & 0o7777).toString(8)} ${size} ${digest}`;
      }
    }
  };
  look("");
  return found;
}

export interface Filling {
  /** How many files. Default 12; the first few have names that a shell, or a list of lines, would stumble over. */
  readonly files?: number;
  /** All files together, which cannot be compressed. Default 256 KiB. One file is empty. */
  readonly bytes?: number;
  /** The same seed makes the same content. Default 1. */
  readonly seed?: number;
}

const NAMES = [
  (n: number) => `plain-${n}`,
  (n: number) => `two words ${n}`,
  (n: number) => `12:30:${n}`,
  (n: number) => `größe-漢字-${n}`,
  (n: number) => `-dash ${n}`,
  (n: number) => `it's "$${n}" \\ *`,
  (n: number) => `folder ${n}/@inner%`,
] as const;

/** Writes reproducible files into a mounted dataset. With another seed all of them change, under the same names. */
export async function fillDataset(
  world: Zfs,
  dataset: string,
  { files: count = 12, bytes = 256 * 1024, seed = 1 }: Filling = {},
): Promise<void> {
  const root = await world.mount(dataset);
  const random = createCipheriv(
    "aes-128-ctr",
    createHash("md5").update(`${seed}`).digest(),
    Buffer.alloc(16),
  );
  const each = Math.ceil(bytes / Math.max(count - 1, 1));
  let left = bytes;
  for (let n = 0; n < count; n++) {
    const path = join(root, NAMES[n % NAMES.length]?.(n) ?? "");
    const size = n === 1 ? 0 : Math.min(left, each);
    left -= size;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, random.update(Buffer.alloc(size)), { mode: n % 2 === 0 ? 0o640 : 0o755 });
  }
  const link = join(root, "a link");
  if (readdirSync(root).includes("a link")) return;
  symlinkSync(`to nowhere ${seed}`, link);
}
