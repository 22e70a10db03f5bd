import {
  constants,
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  readlink,
  realpath,
  rename,
  rmdir,
  stat,
  symlink,
  unlink,
} from "node:fs/promises";
import { isAbsolute, join, normalize, resolve } from "node:path";
import type { Attributes, FileEntry, SFTPWrapper } from "ssh2";
import ssh2 from "ssh2";
import { endSftp } from "./channel.ts";
import { attributesOf, longName, setAttributes, statusOf } from "./sftp-attributes.ts";

const { OPEN_MODE, STATUS_CODE } = ssh2.utils.sftp;
const LONGEST_READ = 256 * 1024;
const NAMES_PER_ANSWER = 100;

type OpenThing =
  | { readonly kind: "file"; readonly file: FileHandle; readonly append: boolean }
  | { readonly kind: "folder"; readonly path: string; names: string[] };

/** Serves SFTP version 3 (draft-ietf-secsh-filexfer-02); relative paths start at `home`. */
export function serveSftp(sftp: SFTPWrapper, home: string): void {
  const handles = new Map<number, OpenThing>();
  let nextHandle = 0;

  const at = (path: string): string => (isAbsolute(path) ? normalize(path) : resolve(home, path));
  const keep = (thing: OpenThing): Buffer => {
    const handle = Buffer.alloc(4);
    handle.writeUInt32BE(nextHandle);
    handles.set(nextHandle, thing);
    nextHandle = (nextHandle + 1) >>> 0;
    return handle;
  };
  const find = (handle: Buffer): OpenThing => {
    const thing = handle.length === 4 ? handles.get(handle.readUInt32BE()) : undefined;
    if (thing === undefined) throw new Error("no such handle");
    return thing;
  };
  const file = (handle: Buffer): Extract<OpenThing, { kind: "file" }> => {
    const thing = find(handle);
    if (thing.kind !== "file") throw new Error("not a file");
    return thing;
  };
  /**
   * Runs one request and answers it: by itself, or with OK when it returns nothing to say. One after the other, as
   * they came: OpenSSH's client cuts off the end of an upload whose writes are acknowledged out of order.
   */
  let queue = Promise.resolve();
  const answer = (id: number, work: () => Promise<unknown>): void => {
    queue = queue.then(work).then(
      (said) => {
        if (said !== SAID) sftp.status(id, STATUS_CODE.OK);
      },
      (error: unknown) => {
        sftp.status(id, ...statusOf(error));
      },
    );
  };

  sftp.on("OPEN", (id, name, flags, attributes) =>
    answer(id, async () => {
      const opened = await open(at(name), openFlags(flags), permissions(attributes) ?? 0o666);
      sftp.handle(id, keep({ kind: "file", file: opened, append: (flags & OPEN_MODE.APPEND) !== 0 }));
      return SAID;
    }),
  );
  sftp.on("READ", (id, handle, offset, length) =>
    answer(id, async () => {
      const buffer = Buffer.allocUnsafe(Math.min(length, LONGEST_READ));
      const { bytesRead } = await file(handle).file.read(buffer, 0, buffer.length, offset);
      if (bytesRead === 0) sftp.status(id, STATUS_CODE.EOF);
      else sftp.data(id, buffer.subarray(0, bytesRead));
      return SAID;
    }),
  );
  sftp.on("WRITE", (id, handle, offset, data) => {
    // The bytes lie in a buffer of the connection, which goes on to the next packet while this one is written.
    const bytes = Buffer.from(data);
    answer(id, async () => {
      const { file: target, append } = file(handle);
      for (let done = 0; done < bytes.length; ) {
        const position = append ? null : offset + done;
        done += (await target.write(bytes, done, bytes.length - done, position)).bytesWritten;
      }
    });
  });
  sftp.on("CLOSE", (id, handle) =>
    answer(id, async () => {
      const thing = find(handle);
      handles.delete(handle.readUInt32BE());
      if (thing.kind === "file") await thing.file.close();
    }),
  );
  sftp.on("FSTAT", (id, handle) =>
    answer(id, async () => {
      sftp.attrs(id, attributesOf(await file(handle).file.stat()));
      return SAID;
    }),
  );
  sftp.on("STAT", (id, path) =>
    answer(id, async () => {
      sftp.attrs(id, attributesOf(await stat(at(path))));
      return SAID;
    }),
  );
  sftp.on("LSTAT", (id, path) =>
    answer(id, async () => {
      sftp.attrs(id, attributesOf(await lstat(at(path))));
      return SAID;
    }),
  );
  sftp.on("SETSTAT", (id, path, attributes) => answer(id, () => setAttributes(at(path), attributes)));
  sftp.on("FSETSTAT", (id, handle, attributes) =>
    answer(id, async () => setAttributes(file(handle).file, attributes)),
  );
  sftp.on("OPENDIR", (id, path) =>
    answer(id, async () => {
      const folder = at(path);
      const names = [".", "..", ...(await readdir(folder))];
      sftp.handle(id, keep({ kind: "folder", path: folder, names }));
      return SAID;
    }),
  );
  sftp.on("READDIR", (id, handle) =>
    answer(id, async () => {
      const folder = find(handle);
      if (folder.kind !== "folder") throw new Error("not a folder");
      const entries = await listSome(folder);
      if (entries.length === 0) sftp.status(id, STATUS_CODE.EOF);
      else sftp.name(id, entries);
      return SAID;
    }),
  );
  sftp.on("MKDIR", (id, path, attributes) =>
    answer(id, () => mkdir(at(path), { mode: permissions(attributes) ?? 0o777 })),
  );
  sftp.on("RMDIR", (id, path) => answer(id, () => rmdir(at(path))));
  sftp.on("REMOVE", (id, path) => answer(id, () => unlink(at(path))));
  sftp.on("RENAME", (id, from, to) => answer(id, () => renameFresh(at(from), at(to))));
  // ssh2 hands over the link first, whatever its type declarations call the two, and undoes OpenSSH's swapped order.
  sftp.on("SYMLINK", (id, link, target) => answer(id, () => symlink(target, at(link))));
  sftp.on("READLINK", (id, path) =>
    answer(id, async () => {
      sftp.name(id, [bareName(await readlink(at(path)))]);
      return SAID;
    }),
  );
  sftp.on("REALPATH", (id, path) =>
    answer(id, async () => {
      const absolute = at(path);
      // A path that does not exist yet is asked for before it is made.
      sftp.name(id, [bareName(await realpath(absolute).catch(() => absolute))]);
      return SAID;
    }),
  );
  sftp.on("EXTENDED", (id) => sftp.status(id, STATUS_CODE.OP_UNSUPPORTED));

  sftp.once("close", () => {
    for (const thing of handles.values()) {
      if (thing.kind === "file") thing.file.close().catch(() => undefined);
    }
    handles.clear();
  });
  // The client's end of input is the end of the session; without this the channel would stay half open.
  sftp.once("end", () => {
    // Not before the last request has been answered.
    queue.then(() => endSftp(sftp)).catch(() => sftp.end());
  });
}

/** Says that a request has been answered. */
const SAID = Symbol("answered");

function permissions(attributes: Partial<Attributes>): number | undefined {
  return attributes.mode === undefined ? undefined : attributes.mode & 0o7777;
}

/** Flags of SSH_FXP_OPEN as those of open(2) (draft-ietf-secsh-filexfer-02 §6.3). */
function openFlags(flags: number): number {
  const has = (flag: number): boolean => (flags & flag) !== 0;
  const access = has(OPEN_MODE.WRITE)
    ? has(OPEN_MODE.READ)
      ? constants.O_RDWR
      : constants.O_WRONLY
    : constants.O_RDONLY;
  return (
    access |
    (has(OPEN_MODE.APPEND) ? constants.O_APPEND : 0) |
    (has(OPEN_MODE.CREAT) ? constants.O_CREAT : 0) |
    (has(OPEN_MODE.TRUNC) ? constants.O_TRUNC : 0) |
    (has(OPEN_MODE.EXCL) ? constants.O_EXCL : 0)
  );
}

/** Takes the next names off the list. One that has vanished meanwhile is left out. */
async function listSome(folder: Extract<OpenThing, { kind: "folder" }>): Promise<FileEntry[]> {
  const entries: FileEntry[] = [];
  while (entries.length === 0 && folder.names.length > 0) {
    const names = folder.names.splice(0, NAMES_PER_ANSWER);
    const found = await Promise.all(
      names.map(async (filename) => {
        const stats = await lstat(join(folder.path, filename)).catch(() => undefined);
        return (
          stats && { filename, longname: longName(filename, stats, Date.now()), attrs: attributesOf(stats) }
        );
      }),
    );
    entries.push(...found.filter((entry) => entry !== undefined));
  }
  return entries;
}

/** SSH_FXP_RENAME does not overwrite (draft-02 §6.5). */
async function renameFresh(from: string, to: string): Promise<void> {
  const taken = await lstat(to).catch(() => undefined);
  if (taken !== undefined) throw new Error(`${to} exists already`);
  await rename(from, to);
}

function bareName(filename: string): FileEntry {
  return { filename, longname: filename, attrs: { mode: 0, uid: 0, gid: 0, size: 0, atime: 0, mtime: 0 } };
}
