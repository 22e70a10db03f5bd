import type { Machine } from "../../providers/index.ts";
import { deadline } from "../../util/deadline.ts";
import { asLazysshError, LazysshError } from "../../util/errors.ts";
import { dialPort } from "../context.ts";
import { assertAlive, type StepContext } from "../start/step-context.ts";

/** How often a machine that is in use, or being probed, is looked at. */
const WATCH_MS = 5_000;
/** A machine not found this many times in a row while in use is gone. */
const WATCH_NOT_FOUND = 3;
/** How long the port of a machine in use may take to answer, how often in a row it may not, and the pause between. */
const ANSWER_MS = 3_000;
const KNOCKS = 2;
const KNOCK_PAUSE_MS = 1_000;

/**
 * Resolves, with the cause, when the machine is seen not to run any more. A cloud that does not answer proves nothing.
 * Rejects only with the signal's reason.
 *
 * @param seen Told of each look that showed it running.
 */
export async function death(
  context: StepContext,
  id: string,
  seen: (machine: Machine) => void = () => undefined,
): Promise<LazysshError> {
  const { target, provider, clock, signal } = context;
  let notFound = 0;
  for (;;) {
    await clock.sleep(WATCH_MS, signal);
    try {
      const machine = await provider.describe(id, signal);
      assertAlive(target, machine);
      notFound = 0;
      seen(machine);
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      const error = asLazysshError(cause);
      if (error.code === "MACHINE_DIED") return error;
      notFound = error.code === "MACHINE_NOT_FOUND" ? notFound + 1 : 0;
      if (notFound >= WATCH_NOT_FOUND) {
        return new LazysshError(
          "MACHINE_DIED",
          `${target.name}: machine ${id} is not known to the cloud any more`,
        );
      }
      context.retrying("look at the machine", { error, attempt: 1, waitMs: WATCH_MS });
    }
  }
}

export interface HealthWatch {
  readonly id: string;
  readonly host: string;
  /** What its port said when it became ready; that is what it is to say again. */
  readonly greets: boolean;
  /** Bytes that have gone through the machine's connections so far. */
  readonly traffic: () => number;
  /** What is known of its port; who knocks out of turn writes it, too. */
  readonly health: { unfit: boolean };
  /** Told when its port stops to answer, and when it answers again. */
  readonly onUnfit: (error: LazysshError) => void;
  readonly onFit: () => void;
}

/**
 * Knocks at the port of a machine in use, for ever. One that moves bytes is well, and is left alone: under load an answer may
 * take long. The time counts from the last byte, so that one that falls silent is found out as soon as any other, within 15 s.
 * Rejects only with the signal's reason.
 */
export async function watchPort(context: StepContext, watch: HealthWatch): Promise<never> {
  const { clock, signal } = context;
  for (;;) {
    if (watch.health.unfit) await clock.sleep(WATCH_MS, signal);
    else await silence(context, { ms: WATCH_MS, traffic: watch.traffic });
    await knockAtPort(context, watch);
  }
}

/** Resolves with whether it answers; a change is told. */
export async function knockAtPort(context: StepContext, watch: HealthWatch): Promise<boolean> {
  const { health, id, onFit, onUnfit } = watch;
  const reason = await whyNoAnswer(context, watch);
  if (reason !== undefined && !health.unfit) {
    health.unfit = true;
    const what = `${context.target.name}: machine ${id} runs, but does not answer any more: ${reason}`;
    onUnfit(new LazysshError("MACHINE_UNFIT", what));
  } else if (reason === undefined && health.unfit) {
    health.unfit = false;
    onFit();
  }
  return reason === undefined;
}

/** Undefined when it answers. */
async function whyNoAnswer(context: StepContext, { host, greets }: HealthWatch): Promise<string | undefined> {
  const { target, clock, signal, probe } = context;
  const port = dialPort(target, target.checkPort);
  let reason = "";
  for (let knock = 1; knock <= KNOCKS; knock++) {
    if (knock > 1) await clock.sleep(KNOCK_PAUSE_MS, signal);
    reason = `${host}:${port} has not answered within ${ANSWER_MS / 1_000} s`;
    using limit = deadline(clock, ANSWER_MS, () => "no answer", signal);
    const onWaiting = (why: string) => {
      reason = why;
    };
    try {
      const ready = greets ? "ssh" : "tcp";
      await probe({ host, port, ready, clock, signal: limit.signal, onWaiting });
      return undefined;
    } catch {
      signal.throwIfAborted();
    }
  }
  return reason;
}

export interface Silence {
  readonly ms: number;
  readonly traffic: () => number;
}

/** Resolves when nothing has moved for so long. Rejects only with the signal's reason. */
export async function silence({ clock, signal }: StepContext, { ms, traffic }: Silence): Promise<void> {
  let last = traffic();
  let since = clock.now();
  while (clock.now() - since < ms) {
    await clock.sleep(Math.min(ms / 4, 5_000), signal);
    const now = traffic();
    if (now !== last) since = clock.now();
    last = now;
  }
}
