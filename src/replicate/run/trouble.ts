import { LazysshError } from "../../util/errors.ts";
import { SshError } from "../ssh/failure.ts";

/**
 * What may help when a step has failed. `reconnect`: a connection that works, and a new plan. `again`: a new plan after a while.
 * `replan`: a new plan at once. `none`: nothing that a program may do by itself.
 */
export type Cure = "reconnect" | "again" | "replan" | "none";

/** A step that failed, with what may help. The message says what, on what, why, what to do. */
export class Trouble extends LazysshError {
  readonly cure: Cure;
  /** Something was written to the target since its newest snapshot: it has gone its own way. */
  readonly modified: boolean;

  constructor(
    message: string,
    cure: Cure,
    { modified = false, cause }: { modified?: boolean; cause?: unknown } = {},
  ) {
    super("ZFS_FAILED", message, { retryable: cure !== "none", cause });
    this.cure = cure;
    this.modified = modified;
  }
}

/** Of anything that was thrown. */
export function cureOf(error: unknown): Cure {
  if (error instanceof Trouble) return error.cure;
  if (error instanceof SshError) return error.retryable ? "reconnect" : "none";
  return error instanceof LazysshError ? cureOfWords(error.message) : "none";
}

/** From what `zfs` has printed. What needs a person (no space, no permission, a damaged stream) is not tried again. */
export function cureOfWords(text: string): Cure {
  if (isModified(text)) return "none";
  // A receive that was cut off may still be at work, and what it leaves is to be resumed or given up.
  if (/is busy|contains partially-complete state|resume token is corrupt/.test(text)) return "again";
  if (/does not\s+match incremental source/.test(text)) return "replan";
  if (/no longer exists|no longer the same|dataset does not exist|could not find any snapshots/.test(text)) {
    return "replan";
  }
  return "none";
}

export function isModified(text: string): boolean {
  return /has been modified/.test(text);
}
