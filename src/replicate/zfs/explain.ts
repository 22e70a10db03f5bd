import { LazysshError } from "../../util/errors.ts";
import type { Ran, Side } from "../side.ts";
import { connectionFailed, lostError } from "../ssh/failure.ts";
import { poolOf } from "./names.ts";

/** What the command was about, for what is to be done. */
export interface About {
  readonly side: Pick<Side, "name" | "remote">;
  readonly zfs: string;
  readonly dataset?: string;
  readonly status?: number | undefined;
}

interface Known {
  readonly pattern: RegExp;
  readonly remedy: (about: About) => string;
}

/** What a user who is not root needs on each side; the receiving one for all that is received below the dataset. */
export const ALLOW = {
  source: "send,hold,release,bookmark",
  target: "receive,create,mount,canmount,mountpoint,readonly,hold,release,rollback,destroy",
} as const;

const KNOWN: readonly Known[] = [
  {
    pattern: /has been modified/,
    remedy: ({ dataset }) =>
      `something has written to the replica since it was received; compare it (zfs diff), then take it back to its newest snapshot by hand: zfs rollback ${word(dataset, "@SNAPSHOT")}; keep replicas unmounted and read-only`,
  },
  {
    pattern: /does not\s+match incremental source/,
    remedy: () =>
      "the newest snapshot there is not the one that the stream begins with; run again, to plan anew",
  },
  {
    pattern: /must specify -F to overwrite it|destination '.*' exists/,
    remedy: ({ dataset }) =>
      `there is a dataset already that has nothing in common with the source; if it is not needed: zfs destroy -r ${word(dataset)}, or give another destination`,
  },
  {
    pattern: /resume token is corrupt|no longer exists|no longer the same snapshot/,
    remedy: () =>
      "what an interrupted receive has left cannot be gone on with; the next run gives it up (zfs recv -A)",
  },
  {
    pattern: /contains partially-complete state/,
    remedy: ({ dataset }) =>
      `an interrupted receive is kept there; give it up with zfs recv -A ${word(dataset)}`,
  },
  {
    pattern: /requires -L|--large-block/,
    remedy: () => "an earlier stream had large blocks and this one has not; zfs has to know -L on both sides",
  },
  {
    pattern: /is busy/,
    remedy: () =>
      "it is held (zfs holds), cloned, mounted, being received just now, or has an interrupted receive (zfs recv -A)",
  },
  {
    pattern: /out of space|no space left|quota exceeded/i,
    remedy: ({ dataset }) =>
      `make room: fewer snapshots there (keep), a larger volume, or a larger quota (zfs list -o space ${dataset ?? "DATASET"})`,
  },
  {
    pattern: /connect: Permission denied|unable to open \/dev\/zfs|permission denied/i,
    remedy: ({ dataset }) =>
      `log in as root, or let the user: where it is sent from, zfs allow USER ${ALLOW.source} ${dataset ?? "DATASET"}; where it is received, zfs allow USER ${ALLOW.target} PARENT`,
  },
  {
    pattern: /keystatus|key must be loaded|key (?:is )?(?:not |un)(?:loaded|available)|encryption key not/i,
    remedy: () => "load its key (zfs load-key), or send it raw (send { raw = true })",
  },
  {
    pattern: /failed to initialize|modules? .*not loaded|daemon is running/i,
    remedy: () => "ZFS does not run there: load its module (modprobe zfs), or start its daemon",
  },
  {
    pattern: /no such pool/i,
    remedy: ({ dataset }) =>
      `import it before (in the boot of the machine, or as the job's "before"): zpool import -N ${dataset === undefined ? "POOL" : poolOf(dataset)}`,
  },
  {
    pattern: /does not exist|could not find any snapshots/,
    remedy: ({ dataset }) =>
      `is the name right, its parent made (zfs create -p -o mountpoint=none …), and its pool imported (zpool import -N ${dataset === undefined ? "POOL" : poolOf(dataset)})?`,
  },
  {
    pattern: /checksum mismatch|incomplete stream|bad magic|failed to read from stream|invalid backup stream/,
    remedy: () => "the stream was cut or damaged on its way, or the sending side failed: see what that says",
  },
  {
    pattern: /unsupported feature/,
    remedy: () => "zfs there is too old for what this dataset is made of; upgrade it",
  },
  {
    pattern: /invalid option|unrecognized command|invalid property/,
    remedy: () => "this zfs is older than what it was asked for",
  },
];

/** No lines of usage, which bury what is said. */
const NOISE = /^(?:usage:|\s|For the |A resuming stream|must specify|use '-r' to force)/;

/**
 * What `zfs` or `zpool` has printed, as one line, with what to do about it. A line that says what went wrong stands first in it.
 */
export function explain(stderr: string, about: About): string {
  const missing = about.status === 127 || /no such program on the PATH|command not found/.test(stderr);
  const known = KNOWN.find(({ pattern }) => pattern.test(stderr));
  const said = stderr
    .replaceAll(/(destination \S+ has been modified|does not)\n/g, "$1 ")
    .split("\n")
    .filter((line) => line.trim() !== "" && !NOISE.test(line))
    .map((line) => line.trim());
  const words = said.slice(-4).join("; ");
  if (missing) return `${words || `${about.zfs}: not found`} (${notFound(about)})`;
  const told = words === "" ? `it ended with status ${about.status ?? "unknown"} and said nothing` : words;
  return known ? `${told} (${known.remedy(about)})` : told;
}

/** What to do about it alone; undefined where the words are not known. */
export function remedyOf(text: string, about: About): string | undefined {
  return KNOWN.find(({ pattern }) => pattern.test(text))?.remedy(about);
}

function notFound({ side, zfs }: About): string {
  const where = side.remote
    ? `a command by ssh often has a shorter PATH than a login, without /usr/sbin; give the path of zfs on ${side.name} (--remote-zfs)`
    : "give its path (--zfs)";
  return `there is no ${zfs} on the PATH: ${where}`;
}

export interface FailureOf extends Omit<About, "status"> {
  readonly side: Pick<Side, "name" | "remote">;
  /** "listing tank/safe". */
  readonly doing: string;
}

/** A command that failed, as an error: of the connection, or of `zfs`. */
export function failureOf(ran: Ran, { doing, ...about }: FailureOf): LazysshError {
  const { side } = about;
  if (side.remote && connectionFailed(ran)) return lostError(side.name, ran.stderr);
  const why =
    ran.signal === undefined
      ? explain(ran.stderr, { ...about, status: ran.status })
      : `it was ended by ${ran.signal}`;
  const where = side.remote ? ` on ${side.name}` : "";
  return new LazysshError("ZFS_FAILED", `${doing}${where} failed: ${why}`, { retryable: false });
}

function word(dataset: string | undefined, more = ""): string {
  const name = `${dataset ?? "DATASET"}${more}`;
  return /^[\w./:@#-]+$/.test(name) ? name : `'${name}'`;
}
