import type { Provider } from "../../providers/index.ts";
import type { Clock } from "../../util/clock.ts";
import { asLazysshError, type LazysshError } from "../../util/errors.ts";
import { backoffMs, growingInterval } from "../../util/retry.ts";

export interface StopContext {
  readonly provider: Provider;
  readonly clock: Clock;
  /** Only the end of the program aborts it. */
  readonly signal: AbortSignal;
  readonly waiting: (what: string) => void;
  /** A failed attempt: the machine may still be running and costing money. */
  readonly failing: (failure: { error: LazysshError; attempt: number; machine: string | undefined }) => void;
  /** Something that was given up on and a person may want to look at. */
  readonly warning: (what: string) => void;
}

export interface StopPlan {
  /** What is left of it: nothing, or a machine at rest that can be started again. */
  readonly mode: "terminate" | "stop" | "hibernate";
  /** Whether the operating system is shut down, and that waited for, before the machine is terminated. */
  readonly orderly: boolean;
  /** Asked shortly before anything that ends the machine: whether it is to be ended at all. */
  readonly giveBack?: ((id: string) => Promise<"end" | "left">) | undefined;
  /** Called, at most once, with a machine that runs, before anything is done to it. Never rejects but for the signal. */
  readonly before?: ((id: string, host: string) => Promise<void>) | undefined;
}

/** `gone` or `rests`: the cloud has shown it so; `left`: others need it; `none`: the order made none. */
export type Stopped = "gone" | "rests" | "left" | "none";

/**
 * A machine whose order got no answer is looked for this long before it is taken as never made. Should the cloud show it
 * later still, it is found by its tag, and ended, as any machine that nobody looks after.
 */
const LOOKUP_MS = 30_000;
const LOOKUP_ANSWERS = 5;
/** A termination that shows no effect for this long is asked for again. */
const REPEAT_MS = 30_000;
/** "Not found" after termination proves nothing at first: only when it is all that is heard for this long. */
const NOT_FOUND_MS = 120_000;
/** What `giveBack` answered holds only so long. */
const ANSWER_IS_GOOD_MS = 10_000;
/** How long an operating system may take to shut down; EC2 itself powers it off before that. */
const ORDERLY_MS = 10 * 60_000;
/** Volumes that are still held this long after the machine is gone are held by somebody else. */
const VOLUMES_MS = 120_000;

const interval = growingInterval(0.1, 50, 2_000);

/**
 * Ends the machine and resolves when the cloud has shown it gone and its volumes free, or, where it is to rest, at rest. There is no
 * deadline: a machine costs money until it is gone, so it is asked for again, for ever, and each failure is told.
 */
export async function stopMachine(
  context: StopContext,
  machine: string | undefined,
  token: string | undefined,
  plan: StopPlan,
): Promise<Stopped> {
  const id = machine ?? (token === undefined ? undefined : await lookUp(context, token));
  if (id === undefined) return "none";
  const mayEnd = leave(context, id, plan);
  if (!(await mayEnd())) return "left";
  const shut = plan.mode !== "terminate" || plan.orderly ? await shutDown(context, id, plan, mayEnd) : "not";
  if (shut === "left") return "left";
  if (shut === "rests" && plan.mode !== "terminate") return "rests";
  if ((await end(context, id, mayEnd)) === "left") return "left";
  await volumesReleased(context, id);
  return "gone";
}

type MayEnd = () => Promise<boolean>;

/** Asks again when the last answer is no longer good, for between two attempts anything may have happened. */
function leave({ clock }: StopContext, id: string, { giveBack }: StopPlan): MayEnd {
  let askedAt = Number.NEGATIVE_INFINITY;
  return async () => {
    if (!giveBack || clock.now() - askedAt < ANSWER_IS_GOOD_MS) return true;
    const answer = await giveBack(id);
    askedAt = clock.now();
    return answer === "end";
  };
}

async function lookUp(context: StopContext, token: string): Promise<string | undefined> {
  const { provider, clock, signal } = context;
  let firstAnswer: number | undefined;
  let answers = 0;
  context.waiting("whether the order that got no answer has made a machine");
  for (let attempt = 1; ; attempt++) {
    try {
      const found = await provider.find(token, signal);
      if (found) return found.phase === "gone" ? undefined : found.id;
      answers += 1;
      firstAnswer ??= clock.now();
      if (answers >= LOOKUP_ANSWERS && clock.now() - firstAnswer >= LOOKUP_MS) return undefined;
      attempt = 0;
      await clock.sleep(interval(clock.now() - firstAnswer), signal);
    } catch (error) {
      await failed(context, error, attempt, undefined);
    }
  }
}

/**
 * Has the operating system shut down, so that nothing is cut off while it writes, and resolves with whether the machine rests now. A
 * machine that cannot be shut down so (one that boots, a spot instance) is left to its termination, which shuts it down as well.
 */
async function shutDown(
  context: StopContext,
  id: string,
  plan: StopPlan,
  mayEnd: MayEnd,
): Promise<"rests" | "not" | "left"> {
  const { provider, clock, signal, waiting, warning } = context;
  const started = clock.now();
  let notFoundSince: number | undefined;
  let askedAt: number | undefined;
  let prepared = false;
  for (let attempt = 1; ; attempt++) {
    try {
      const machine = await provider.describe(id, signal);
      notFoundSince = undefined;
      // One that was just started may still be told to rest; asked to, it does.
      if (machine.phase === "resting" && askedAt !== undefined) return "rests";
      if (machine.phase === "gone") return "not";
      // One that boots is waited for: what the cloud tells may be behind, and a volume in use already.
      if (machine.phase === "running" || machine.phase === "resting") {
        if (!prepared && machine.address !== undefined) {
          await plan.before?.(id, machine.address);
          prepared = true;
        }
        if (askedAt === undefined || clock.now() - askedAt >= REPEAT_MS) {
          if (!(await mayEnd())) return "left";
          await provider.rest(id, { hibernate: plan.mode === "hibernate" }, signal);
          askedAt = clock.now();
        }
        waiting(`machine ${id} to shut down`);
      }
      if (clock.now() - started > ORDERLY_MS) {
        warning(
          `machine ${id} has not shut down in ${ORDERLY_MS / 60_000} minutes: it is terminated as it is`,
        );
        return "not";
      }
      attempt = 0;
      await clock.sleep(interval(clock.now() - started), signal);
    } catch (cause) {
      signal.throwIfAborted();
      const error = asLazysshError(cause);
      const missing = error.code === "MACHINE_NOT_FOUND";
      notFoundSince = missing ? (notFoundSince ?? clock.now()) : undefined;
      const givenUp =
        notFoundSince === undefined ? !error.retryable : clock.now() - notFoundSince > NOT_FOUND_MS;
      if (givenUp) {
        if (error.code !== "NOT_SUPPORTED") {
          warning(`machine ${id} cannot be shut down before it is terminated: ${error.message}`);
        }
        return "not";
      }
      await failed(context, error, attempt, id);
    }
  }
}

async function end(context: StopContext, id: string, mayEnd: MayEnd): Promise<"gone" | "left"> {
  const { provider, clock, signal } = context;
  let askedAt: number | undefined;
  let notFoundSince: number | undefined;
  for (let attempt = 1; ; attempt++) {
    try {
      if (askedAt === undefined || clock.now() - askedAt >= REPEAT_MS) {
        if (askedAt === undefined && !(await mayEnd())) return "left";
        await provider.destroy(id, signal);
        askedAt = clock.now();
        context.waiting(`machine ${id} to end`);
      }
      const { phase } = await provider.describe(id, signal);
      if (phase === "gone") return "gone";
      notFoundSince = undefined;
      attempt = 0;
      await clock.sleep(interval(clock.now() - askedAt), signal);
    } catch (cause) {
      const error = asLazysshError(cause);
      if (error.code !== "MACHINE_NOT_FOUND") {
        notFoundSince = undefined;
      } else {
        notFoundSince ??= clock.now();
        if (clock.now() - notFoundSince >= NOT_FOUND_MS) {
          context.warning(`machine ${id} has not been known to the cloud for two minutes: taken as gone`);
          return "gone";
        }
      }
      await failed(context, error, attempt, id);
    }
  }
}

async function volumesReleased(context: StopContext, id: string): Promise<void> {
  const { provider, clock, signal } = context;
  const started = clock.now();
  for (let attempt = 1; ; attempt++) {
    try {
      const progress = await provider.volumesFree(signal);
      if (progress.done) return;
      if (clock.now() - started >= VOLUMES_MS) {
        context.warning(`machine ${id} is gone, but its volumes are not free: ${progress.waitingFor}`);
        return;
      }
      context.waiting(progress.waitingFor);
      attempt = 0;
      await clock.sleep(interval(clock.now() - started), signal);
    } catch (cause) {
      const error = asLazysshError(cause);
      if (!signal.aborted && !error.retryable) {
        context.warning(`machine ${id} is gone, but its volumes cannot be looked at: ${error.message}`);
        return;
      }
      await failed(context, error, attempt, id);
    }
  }
}

/** Tells of the failure and waits; throws when the program ends. */
async function failed(
  context: StopContext,
  cause: unknown,
  attempt: number,
  machine: string | undefined,
): Promise<void> {
  context.signal.throwIfAborted();
  context.failing({ error: asLazysshError(cause), attempt, machine });
  await context.clock.sleep(backoffMs(attempt), context.signal);
}
