import { stayAlive } from "../../util/clock.ts";
import { deadline } from "../../util/deadline.ts";
import { formatDuration } from "../../util/duration.ts";
import { LazysshError, messageOf } from "../../util/errors.ts";
import type { RunOutcome } from "../outcome.ts";
import { localSide } from "../ssh/local.ts";
import { plainEnv } from "../ssh/run.ts";
import { lookAgain } from "./again.ts";
import type { Context } from "./context.ts";
import { type End, lookAtEnd, sidesOf } from "./ends.ts";
import { runHook } from "./finish.ts";
import { Machine } from "./machine.ts";
import { nothingNew, sourceIsMissing } from "./no-boot.ts";
import type { RunOptions } from "./options.ts";
import { RunRecord } from "./record.ts";
import { work } from "./work.ts";

/**
 * One run of a job, from the first look to the machine that is let go. Never rejects: what went wrong is in the outcome. The machine is
 * let go in every case, also when the signal aborts or the time is up.
 */
export async function runJob(options: RunOptions): Promise<RunOutcome> {
  using _ = stayAlive();
  const { job, clock } = options;
  const record = new RunRecord(options);
  const machine = new Machine(options);
  using limit = deadline(
    clock,
    job.timeoutMs,
    () =>
      new LazysshError(
        "ZFS_FAILED",
        `the run took longer than ${formatDuration(job.timeoutMs)} (timeout) and was ended; what has arrived by then is kept, and the next run goes on from there`,
      ),
    options.signal,
  );
  try {
    await conduct(options, machine, record, limit.signal);
  } catch (error) {
    if (job.after && machine.isThere && limit.signal.aborted) {
      record.errors.push(
        `"after" of the job was not run on ${job.target}, since the run was ended before; see to it by hand`,
      );
    }
    const byHand = options.signal.aborted && !(error instanceof LazysshError);
    record.errors.unshift(byHand ? `the run was interrupted: ${messageOf(error)}` : messageOf(error));
  } finally {
    await machine.close();
  }
  return record.outcome(machine);
}

async function conduct(
  options: RunOptions,
  machine: Machine,
  record: RunRecord,
  signal: AbortSignal,
): Promise<void> {
  const { job, clock, env, say } = options;
  signal.throwIfAborted();
  const here = localSide({ clock, env: plainEnv(env) });
  const sides = sidesOf(job, here, machine.side);
  const own = job.direction === "push" ? sides.source : sides.target;
  const local = await lookAtEnd(own.side, own.zfs, signal);
  if (job.direction === "push") {
    if (await sourceIsMissing(options, local, record, signal)) return;
    if (await nothingNew(options, local, record, signal)) return;
  }

  await machine.connect(signal);
  await before(options, machine, signal);
  const warn = (words: string) => {
    say(`warning: ${words}`);
    record.warn(words);
  };
  const reconnect = async () => {
    if (!(await machine.reconnect(signal))) return;
    // It may be the same machine as before, for which not everything can be done twice.
    await before(options, machine, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      warn(messageOf(error));
    });
  };
  const other = job.direction === "push" ? sides.target : sides.source;
  const look = () => lookAtEnd(other.side, other.zfs, signal);
  const remote = await lookAgain({ say, signal, reconnect }, look);
  const ends = endsOf(job.direction, local, remote);
  const context: Context = { options, job, ends, machine, signal, warn, reconnect };
  await work(context, record);
}

async function before({ job, say }: RunOptions, machine: Machine, signal: AbortSignal): Promise<void> {
  if (!job.before) return;
  say(`running "before" on ${job.target}`);
  await runHook(machine.side, "before", job.before, signal);
}

function endsOf(direction: "push" | "pull", local: End, remote: End): Context["ends"] {
  return direction === "push" ? { source: local, target: remote } : { source: remote, target: local };
}
