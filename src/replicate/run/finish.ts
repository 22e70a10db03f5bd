import { LazysshError } from "../../util/errors.ts";
import { quoteWhereNeeded } from "../../util/shell.ts";
import type { Side } from "../side.ts";
import { connectionFailed, lostError, SshError } from "../ssh/failure.ts";
import { failureOf } from "../zfs/explain.ts";
import { poolOf, zpoolOf } from "../zfs/names.ts";
import type { Context } from "./context.ts";
import { where } from "./ends.ts";

/** All that was received is on the disk. An older `zpool` cannot see to it for one pool. */
export async function syncTarget({ ends, job, signal }: Context): Promise<void> {
  const { side, zfs } = ends.target;
  const argv = ["sh", "-c", '"$0" sync "$1" 2>/dev/null || sync', zpoolOf(zfs), poolOf(job.destination)];
  const ran = await side.run(argv, { signal });
  if (ran.status !== 0)
    throw failureOf(ran, { side, zfs, doing: "writing all that was received to the disk (sync)" });
}

/** Runs a command of the job on the machine. @throws LazysshError when it fails, with what it said. */
export async function runHook(
  side: Side,
  which: "before" | "after",
  argv: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const ran = await side.run(argv, { signal, apart: true });
  if (ran.status === 0) return;
  if (connectionFailed(ran)) {
    const lost = lostError(side.name, ran.stderr);
    throw new SshError(
      lost.kind,
      `"${which}" of the job (${quoteWhereNeeded(argv)}): ${lost.message}`,
      lost.retryable,
    );
  }
  const said = `${ran.stderr}\n${ran.stdout}`
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .slice(-4)
    .join("; ");
  const ended = ran.signal === undefined ? `ended with status ${ran.status}` : `was ended by ${ran.signal}`;
  const what =
    which === "before"
      ? "so that nothing was looked at or sent"
      : "all that is reported as received is there, but the machine is let go without it; see to it by hand";
  throw new LazysshError(
    "ZFS_FAILED",
    `"${which}" of the job (${quoteWhereNeeded(argv)}) ${ended} ${where(side)}, ${what}: ${said || "it said nothing"}`,
  );
}
