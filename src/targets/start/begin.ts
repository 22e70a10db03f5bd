import { LazysshError, messageOf } from "../../util/errors.ts";
import { isTogether, type MachineContext } from "../context.ts";
import { LEASE_MS, NOTE, noteTime } from "../group/notes.ts";
import { nextGeneration, tokenOf } from "../group/together.ts";
import type { Identity } from "../life/identity.ts";
import type { UntimedEvent } from "../life/state.ts";
import { assertWithinBudget } from "../use/limits.ts";
import { renew } from "../use/renew.ts";
import { existing } from "./existing.ts";
import { type Ordered, order } from "./order.ts";
import { share } from "./share.ts";
import { isUp, type StepContext } from "./step-context.ts";
import { booted, volumesFree } from "./steps.ts";

/** Before another look, so that a cloud that is behind with its lists is not asked without a pause. */
const SPENT_MS = 500;

/** Nothing exists yet that is this launch's: either a machine that is there is joined, or one is to be ordered. */
export async function prepare(
  step: StepContext,
  context: MachineContext,
  identity: Identity,
): Promise<UntimedEvent> {
  const { number: launch } = identity;
  // It may have been used up while the machine before this one was waited for.
  assertWithinBudget(context);
  const machine = await existing(step, context);
  if (!machine) {
    await volumesFree(step);
    return { type: "prepared", launch };
  }
  identity.token = machine.token ?? machine.id;
  identity.machine = machine.id;
  identity.found = true;
  identity.mayHoldVolumes = true;
  context.events.emit({ type: "machine.joined", target: context.target.name, machine: machine.id });
  return { type: "joined", launch, machine: machine.id };
}

/** Intent first, then the order. */
export async function create(
  step: StepContext,
  context: MachineContext,
  identity: Identity,
): Promise<UntimedEvent> {
  const { group, memory, clock, target, signal } = context;
  const { number: launch } = identity;
  const together = isTogether(context);
  const generation = nextGeneration(memory.generation, clock.now());
  const notes: Record<string, string> = {
    [NOTE.expires]: noteTime(clock.now() + target.bootTimeoutMs + LEASE_MS),
  };
  if (together && group !== undefined) {
    identity.token = tokenOf(group, target.name, generation);
    notes[NOTE.generation] = String(generation);
  }
  await identity.write();
  step.waiting("the cloud's answer to the order of a machine");
  const ordered = await order(step, { token: identity.token, notes });
  // A number that made no machine is used again: it is what keeps two servers from making two.
  if (!("error" in ordered) || isSpent(ordered)) memory.generation = generation;
  if (together && isSpent(ordered)) {
    // Another server's start, over already. The next look, and the next number, will do.
    await identity.forget();
    await clock.sleep(SPENT_MS, signal);
    return { type: "missed", launch };
  }
  if ("error" in ordered) {
    const { error, exists } = ordered;
    if (exists === "no") await identity.forget();
    return { type: "failed", launch, error, exists };
  }
  const { id } = ordered.machine;
  identity.machine = id;
  identity.beginToCost();
  // The token alone finds the machine again, so a full disk is no reason to give it up now.
  await identity.write().catch((error: unknown) => identity.warn(messageOf(error)));
  return { type: "created", launch, machine: id };
}

/** Whether the order named a machine of the past. */
function isSpent(ordered: Ordered): boolean {
  return "error" in ordered ? ordered.error.code === "MACHINE_DIED" : !isUp(ordered.machine);
}

/**
 * Resolves with the machine's address once it runs and may be used here; undefined when it is another's, or gone.
 *
 * @param renewing As long as it has not aborted, the machine is said to be needed.
 */
export async function boot(
  step: StepContext,
  context: MachineContext,
  identity: Identity,
  machine: string,
  renewing: AbortSignal,
): Promise<string | undefined> {
  const { found } = identity;
  if (found) {
    await identity.write();
    identity.beginToCost();
  }
  void renew(context, machine, renewing);
  const sharing = isTogether(context) ? share(step, context, identity, machine) : Promise.resolve(true);
  try {
    const [mine, host] = await Promise.all([sharing, booted(step, machine)]);
    return mine ? host : undefined;
  } catch (error) {
    // What was there before may go at any time; that is no reason to refuse those who wait.
    if (found && isDeath(error) && (isTogether(context) || (await isGone(step, machine)))) return undefined;
    throw error;
  }
}

function isDeath(error: unknown): boolean {
  return error instanceof LazysshError && error.code === "MACHINE_DIED";
}

/** Whether there is nothing left to be ended. */
async function isGone({ provider, signal }: StepContext, machine: string): Promise<boolean> {
  return provider.describe(machine, signal).then(
    ({ phase }) => phase === "gone",
    () => false,
  );
}
