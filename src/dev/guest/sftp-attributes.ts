import type { Stats } from "node:fs";
import { chmod, chown, type FileHandle, truncate, utimes } from "node:fs/promises";
import type { Attributes } from "ssh2";
import ssh2 from "ssh2";
import { messageOf } from "../../util/errors.ts";

const { STATUS_CODE } = ssh2.utils.sftp;
const HALF_A_YEAR_MS = 182 * 86_400_000;

/** Times in seconds, as the protocol has them. */
export function attributesOf(stats: Stats): Attributes {
  const { mode, uid, gid, size } = stats;
  return {
    mode,
    uid,
    gid,
    size,
    atime: Math.floor(stats.atimeMs / 1000),
    mtime: Math.floor(stats.mtimeMs / 1000),
  };
}

/** The line that `ls -l` of an SFTP client shows (draft-ietf-secsh-filexfer-02 §7). */
export function longName(name: string, stats: Stats, now: number): string {
  const bits = [..."rwxrwxrwx"]
    .map((letter, index) => (stats.mode & (0o400 >> index) ? letter : "-"))
    .join("");
  const columns = [stats.nlink, stats.uid, stats.gid, stats.size].map((value, index) =>
    String(value).padStart(index === 0 ? 4 : 8),
  );
  return `${kindLetter(stats)}${bits} ${columns.join(" ")} ${shortDate(stats.mtime, now)} ${name}`;
}

function kindLetter(stats: Stats): string {
  if (stats.isDirectory()) return "d";
  if (stats.isSymbolicLink()) return "l";
  if (stats.isFIFO()) return "p";
  if (stats.isSocket()) return "s";
  if (stats.isCharacterDevice()) return "c";
  return stats.isBlockDevice() ? "b" : "-";
}

/** `Nov 22 05:40`, or `Nov 22  2024` for what is not of this half year; in UTC. */
function shortDate(date: Date, now: number): string {
  const [, day = "", month = "", year = "", time = ""] = date.toUTCString().split(" ");
  const recent = Math.abs(now - date.getTime()) < HALF_A_YEAR_MS;
  return `${month} ${day} ${recent ? time.slice(0, 5) : year.padStart(5)}`;
}

/** Sets what is given and leaves the rest. */
export async function setAttributes(
  target: string | FileHandle,
  attributes: Partial<Attributes>,
): Promise<void> {
  const { size, uid, gid, mode, atime, mtime } = attributes;
  const onPath = typeof target === "string";
  if (size !== undefined) await (onPath ? truncate(target, size) : target.truncate(size));
  if (uid !== undefined && gid !== undefined)
    await (onPath ? chown(target, uid, gid) : target.chown(uid, gid));
  if (mode !== undefined) await (onPath ? chmod(target, mode & 0o7777) : target.chmod(mode & 0o7777));
  if (atime !== undefined && mtime !== undefined) {
    await (onPath ? utimes(target, atime, mtime) : target.utimes(atime, mtime));
  }
}

/** The status and text that tell an SFTP client of a failure. */
export function statusOf(error: unknown): [code: number, message: string] {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT" || code === "ENOTDIR") return [STATUS_CODE.NO_SUCH_FILE, "No such file or directory"];
  if (code === "EACCES" || code === "EPERM") return [STATUS_CODE.PERMISSION_DENIED, "Permission denied"];
  return [STATUS_CODE.FAILURE, messageOf(error)];
}
