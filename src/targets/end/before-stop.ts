import type { BeforeStop } from "../../config/index.ts";
import type { Clock } from "../../util/clock.ts";
import { deadline } from "../../util/deadline.ts";
import { formatDuration } from "../../util/duration.ts";
import { asLazysshError, LazysshError } from "../../util/errors.ts";
import type { Remote } from "./remote.ts";

export interface BeforeStopContext {
  readonly what: BeforeStop;
  readonly host: string;
  readonly port: number;
  readonly remote: Remote;
  readonly clock: Clock;
  /** Only the end of the program aborts it. */
  readonly signal: AbortSignal;
  readonly waiting: (what: string) => void;
}

/** A command that failed is run again after this: what its user left behind may still be ending ("pool is busy"). */
const AGAIN_MS = 2_000;

/**
 * Runs the commands, each until it succeeds, within their time.
 *
 * @throws LazysshError `BEFORE_STOP_FAILED` with the last failure, when the time is up.
 */
export async function beforeStop(context: BeforeStopContext): Promise<void> {
  const { what, host, port, remote, clock, signal, waiting } = context;
  let last: LazysshError | undefined;
  using limit = deadline(clock, what.timeoutMs, () => tooLate(what, last), signal);
  for (const command of what.commands) {
    for (;;) {
      waiting(`"${command.join(" ")}" on the machine`);
      try {
        await remote({ host, port, login: what, command, signal: limit.signal });
        break;
      } catch (error) {
        limit.signal.throwIfAborted();
        last = asLazysshError(error);
        await clock.sleep(AGAIN_MS, limit.signal);
      }
    }
  }
}

function tooLate(what: BeforeStop, last: LazysshError | undefined): LazysshError {
  const within = formatDuration(what.timeoutMs);
  const why = last === undefined ? "the command has not ended" : last.message;
  return new LazysshError("BEFORE_STOP_FAILED", `before_stop was not done within ${within}: ${why}`);
}
