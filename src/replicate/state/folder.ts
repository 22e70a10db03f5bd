import { constants } from "node:fs";
import { access, readdir, readFile } from "node:fs/promises";
import { LazysshError, messageOf } from "../../util/errors.ts";
import { makeFolders } from "../../util/folder.ts";

/**
 * Whether a job can have a folder of this name. The config language asks for more; this is what keeps a name from
 * leading out of the folder.
 *
 * @throws LazysshError `CONFIG_INVALID` when it cannot.
 */
export function checkJobName(job: string): void {
  if (/^[\w.-]{1,64}$/.test(job) && !/^\.+$/.test(job)) return;
  throw new LazysshError(
    "CONFIG_INVALID",
    `${JSON.stringify(job)} cannot be the name of a job: take at most 64 letters, digits, ".", "_" and "-", not only "."`,
  );
}

/** Makes the folder, and those above it, closed to all but their user, where it is missing; rejects when nothing can be written there. */
export async function makeFolder(path: string): Promise<void> {
  await makeFolders(path, 0o700);
  await access(path, constants.W_OK | constants.X_OK);
}

/** What the file holds; undefined when there is none. */
export async function contentOf(path: string): Promise<string | undefined> {
  return ifThere(() => readFile(path, "utf8"));
}

/** Names of what is in the folder; none when there is no folder. */
export async function namesIn(path: string): Promise<string[]> {
  return (await ifThere(() => readdir(path))) ?? [];
}

async function ifThere<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** The promise's outcome; what goes wrong in it is said to be the state directory's. */
export async function inState<T>(path: string, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (cause) {
    if (cause instanceof LazysshError) throw cause;
    throw new LazysshError(
      "CONFIG_INVALID",
      `cannot use the state directory ${path}: ${messageOf(cause)}. ` +
        "Make room there and let this user write to it, or choose another with --state-dir",
      { cause },
    );
  }
}
