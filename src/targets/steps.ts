import type { MachineTarget } from "../config/index.ts";
import type { Machine, Progress, Provider } from "../providers/provider.ts";
import type { Clock } from "../util/clock.ts";
import { asLazysshError, LazysshError } from "../util/errors.ts";
import { backoffMs, growingInterval, persist, type RetriedFailure } from "../util/retry.ts";
import type { Prober } from "./probe.ts";

/** What every step of a start works with. */
export interface StepContext {
  readonly target: MachineTarget;
  readonly provider: Provider;
  readonly clock: Clock;
  readonly probe: Prober;
  /** Aborts when the start is no longer wanted, or its time is up; the reason says which. */
  readonly signal: AbortSignal;
  /** Told what the start is waiting for, each time that changes. */
  readonly waiting: (what: string) => void;
  /** Told of each failed attempt that will be made again. */
  readonly retrying: (step: string, failure: RetriedFailure) => void;
}

/** A running machine without an address for this long will not get one. */
const NO_ADDRESS_MS = 20_000;
/** How often a machine that is in use, or being probed, is looked at. */
const WATCH_MS = 5_000;
/** A machine not found this many times in a row while in use is gone. */
const WATCH_NOT_FOUND = 3;

const apiInterval = growingInterval(0.1, 50, 1_000);
const volumeInterval = growingInterval(0.1, 100, 5_000);

/** Resolves when the persistent volumes are free. */
export function volumesFree(context: StepContext): Promise<void> {
  const ask = (signal: AbortSignal) => context.provider.volumesFree(signal);
  return progressed(context, "look at the volumes", volumeInterval, ask);
}

export type Ordered =
  | { readonly machine: Machine }
  /** `exists`: whether the order may have made a machine although no answer says so. */
  | { readonly error: LazysshError; readonly exists: "no" | "maybe" };

/**
 * Orders the machine. An order under way is never interrupted, because its effect would be unknown: an unwanted one
 * ends at its next answer. An attempt whose answer was lost is made again with the same token.
 */
export async function order(context: StepContext, token: string): Promise<Ordered> {
  const { provider, clock, signal } = context;
  const uninterrupted = new AbortController().signal;
  let lost = false;
  for (let attempt = 1; ; attempt++) {
    const exists = lost ? "maybe" : "no";
    if (signal.aborted) return { error: asLazysshError(signal.reason), exists };
    try {
      return { machine: await provider.create({ token, alternative: 0, notes: {} }, uninterrupted) };
    } catch (cause) {
      const error = asLazysshError(cause);
      lost ||= error.retryable && error.code !== "THROTTLED";
      if (!error.retryable) return { error, exists: lost ? "maybe" : "no" };
      const waitMs = backoffMs(attempt);
      context.retrying("order a machine", { error, attempt, waitMs });
      await clock.sleep(waitMs, signal).catch(() => undefined);
    }
  }
}

/** Resolves with the machine's address when it runs and has one. */
export async function booted(context: StepContext, id: string): Promise<string> {
  const { target, provider, clock, signal } = context;
  let runningSince: number | undefined;
  return persist({
    clock,
    signal,
    interval: apiInterval,
    onRetry: (failure) => context.retrying("look at the machine", failure),
    async attempt(attemptSignal) {
      const machine = await unlessNotFound(provider.describe(id, attemptSignal));
      context.waiting(`machine ${id} is ${machine?.phase ?? "not listed yet"}`);
      if (!machine || machine.phase === "pending") return undefined;
      assertAlive(target, machine);
      if (machine.address !== undefined) return machine.address;
      runningSince ??= clock.now();
      if (clock.now() - runningSince < NO_ADDRESS_MS) return undefined;
      throw new LazysshError(
        "NO_ADDRESS",
        `${target.name}: machine ${id} runs but has no address to connect to. ` +
          'Does its subnet give public addresses? If not, set address = "private"',
      );
    },
  });
}

/** Resolves when the persistent volumes are attached. */
export function attached(context: StepContext, id: string): Promise<void> {
  const ask = (signal: AbortSignal) => context.provider.attach(id, signal);
  return progressed(context, "attach the volumes", apiInterval, ask);
}

/** Asks until it is done, telling what stands in the way. */
async function progressed(
  context: StepContext,
  step: string,
  interval: (elapsedMs: number) => number,
  ask: (signal: AbortSignal) => Promise<Progress>,
): Promise<void> {
  const { clock, signal, waiting } = context;
  await persist({
    clock,
    signal,
    interval,
    onRetry: (failure) => context.retrying(step, failure),
    async attempt(attemptSignal) {
      const progress = await ask(attemptSignal);
      if (progress.done) return true;
      waiting(progress.waitingFor);
      return undefined;
    },
  });
}

/** Resolves when the machine answers on its port; rejects early when it dies meanwhile. */
export async function answering(context: StepContext, id: string, host: string): Promise<void> {
  const { target, clock, signal, waiting, probe } = context;
  const over = new AbortController();
  const stop = AbortSignal.any([signal, over.signal]);
  try {
    await Promise.race([
      probe({ host, port: target.checkPort, ready: target.ready, clock, signal: stop, onWaiting: waiting }),
      death({ ...context, signal: stop }, id).then((error) => Promise.reject(error)),
    ]);
  } finally {
    over.abort();
  }
}

/**
 * Resolves, with the cause, when the machine is seen not to run any more. A cloud that does not answer proves nothing.
 * Rejects only with the signal's reason.
 */
export async function death(context: StepContext, id: string): Promise<LazysshError> {
  const { target, provider, clock, signal } = context;
  let notFound = 0;
  for (;;) {
    await clock.sleep(WATCH_MS, signal);
    try {
      assertAlive(target, await provider.describe(id, signal));
      notFound = 0;
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

/** @throws LazysshError `MACHINE_DIED` with the cloud's reason, when the machine is on its way out. */
export function assertAlive(target: MachineTarget, machine: Machine): void {
  if (machine.phase === "pending" || machine.phase === "running") return;
  const how = { gone: "was terminated", stopping: "is being stopped", resting: "was stopped" }[machine.phase];
  const why = machine.reason === undefined ? "" : `: ${machine.reason}`;
  throw new LazysshError("MACHINE_DIED", `${target.name}: machine ${machine.id} ${how}${why}`);
}

async function unlessNotFound(described: Promise<Machine>): Promise<Machine | undefined> {
  try {
    return await described;
  } catch (error) {
    if (error instanceof LazysshError && error.code === "MACHINE_NOT_FOUND") return undefined;
    throw error;
  }
}
