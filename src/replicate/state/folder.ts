import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { Clock } from "../../util/clock.ts";
import { LazysshError, messageOf } from "../../util/errors.ts";
import { type Taking, takeSocketLock } from "../../util/socket-lock.ts";

/** Where what runs have left is kept, for all jobs of a user. Beside the state of a server, if that has the same folder. */
export interface ReplicateState {
  readonly path: string;
}

/** `--state-dir`, else `$STATE_DIRECTORY` (systemd; the first of several), else under `$XDG_STATE_HOME`; in it the folder `replicate`. */
export function replicateStateOf(
  flag: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): ReplicateState {
  const chosen = flag || env.STATE_DIRECTORY?.split(":")[0];
  const base = env.XDG_STATE_HOME || join(env.HOME || homedir(), ".local", "state");
  return { path: resolve(chosen || join(base, "lazyssh"), "replicate") };
}

/** The folder of a job. Only {@link openJob} makes it. */
export function jobFolder({ path }: ReplicateState, job: string): string {
  if (!/^[\w.-]{1,64}$/.test(job) || /^\.+$/.test(job)) {
    throw new LazysshError(
      "CONFIG_INVALID",
      `"${job}" cannot be the name of a job: it has 1 to 64 letters, digits, ".", "_" and "-"`,
    );
  }
  return join(path, "jobs", job);
}

/**
 * Makes the folders of a job, closed to all but their user.
 *
 * @throws LazysshError `CONFIG_INVALID` when they cannot be made.
 */
export async function openJob(state: ReplicateState, job: string): Promise<void> {
  await usable(state, async () => {
    await mkdir(jobFolder(state, job), { recursive: true, mode: 0o700 });
  });
}

/**
 * So that a job runs once at a time: to be taken before anything else, and closed when the run is over.
 *
 * @throws LazysshError `CONFIG_INVALID` when the folder cannot be used.
 */
export async function lockJob(state: ReplicateState, job: string, clock: Clock): Promise<Taking> {
  return usable(state, async () => {
    jobFolder(state, job); // for its complaint
    const folder = join(state.path, "locks");
    await mkdir(folder, { recursive: true, mode: 0o700 });
    // Not in the job's own folder, whose path may be too long for a socket.
    const name = createHash("sha256").update(job).digest("hex").slice(0, 8);
    return takeSocketLock({ folder, name, clock });
  });
}

async function usable<T>({ path }: ReplicateState, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (cause) {
    if (cause instanceof LazysshError) throw cause;
    throw new LazysshError(
      "CONFIG_INVALID",
      `cannot use the state directory ${path}: ${messageOf(cause)}. Choose another with --state-dir`,
      { cause },
    );
  }
}
