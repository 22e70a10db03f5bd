import type { Machine, Progress } from "../../providers/provider.ts";
import { LazysshError } from "../../util/errors.ts";
import { growingInterval, persist } from "../../util/retry.ts";
import { dialPort } from "../context.ts";
import { death } from "../use/health.ts";
import { assertAlive, type StepContext } from "./step-context.ts";

/** A running machine without an address for this long will not get one. */
const NO_ADDRESS_MS = 20_000;

const apiInterval = growingInterval(0.1, 50, 1_000);
const volumeInterval = growingInterval(0.1, 100, 5_000);

/** Resolves when the persistent volumes are free. */
export function volumesFree(context: StepContext): Promise<void> {
  const ask = (signal: AbortSignal) => context.provider.volumesFree(signal);
  return progressed(context, "look at the volumes", volumeInterval, ask);
}

/** Resolves with the machine's address when it runs and has one. Where machines rest, one that does is started. */
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
      if (target.stopMode !== "terminate") {
        // Whatever it was told to do last, it is to run now. What is seen may be behind: being started twice is harmless.
        if (machine.phase === "resting") await provider.start(id, attemptSignal);
        if (machine.phase === "resting" || machine.phase === "stopping") return undefined;
      }
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

/** Resolves, with whether it greets as SSH does, when the machine answers on its port; rejects early when it dies meanwhile. */
export async function answering(context: StepContext, id: string, host: string): Promise<boolean> {
  const { target, clock, signal, waiting, probe } = context;
  const port = dialPort(target, target.checkPort);
  // That of SSH, whichever it is reached by.
  const ready = target.ready === "auto" && target.checkPort === 22 ? "ssh" : target.ready;
  const over = new AbortController();
  const stop = AbortSignal.any([signal, over.signal]);
  try {
    const { greeted } = await Promise.race([
      probe({ host, port, ready, clock, signal: stop, onWaiting: waiting }),
      death({ ...context, signal: stop }, id).then((error) => Promise.reject(error)),
    ]);
    return greeted;
  } finally {
    over.abort();
  }
}

async function unlessNotFound(described: Promise<Machine>): Promise<Machine | undefined> {
  try {
    return await described;
  } catch (error) {
    if (error instanceof LazysshError && error.code === "MACHINE_NOT_FOUND") return undefined;
    throw error;
  }
}
