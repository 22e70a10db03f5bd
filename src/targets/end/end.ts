import { messageOf } from "../../util/errors.ts";
import { backoffMs } from "../../util/retry.ts";
import { dialPort, isTogether, type MachineContext } from "../context.ts";
import { NOTE } from "../group/notes.ts";
import { giveShareBack } from "../group/together.ts";
import { beforeStop } from "./before-stop.ts";
import { type StopContext, type Stopped, stopMachine } from "./stop.ts";

export interface Ending {
  /** Undefined while only the launch token is known. */
  readonly machine: string | undefined;
  readonly token: string;
  /** It was of no use: it is terminated, whatever the target's stop_mode is. */
  readonly failed: boolean;
  readonly mayHoldVolumes: boolean;
  readonly waiting: (what: string) => void;
  readonly warning: (what: string) => void;
}

/**
 * Ends a machine as its target says. Resolves with what the cloud has shown, and with undefined when the program gives up
 * waiting. Whatever goes wrong, it is tried again.
 */
export async function endLaunch(surroundings: MachineContext, ending: Ending): Promise<Stopped | undefined> {
  const { provider, clock, signal, target, events } = surroundings;
  const { machine, token } = ending;
  for (let attempt = 1; ; attempt++) {
    try {
      return await endOnce(surroundings, ending);
    } catch (error) {
      if (signal.aborted) return undefined;
      events.emit({
        type: "machine.leak_suspected",
        target: target.name,
        machine,
        attempt,
        reason: messageOf(error),
        remedy: provider.remedy(machine, token),
      });
      await clock.sleep(backoffMs(attempt), signal).catch(() => undefined);
    }
  }
}

async function endOnce(surroundings: MachineContext, ending: Ending): Promise<Stopped> {
  const { provider, clock, signal, target, server, events } = surroundings;
  const { machine, token, failed, mayHoldVolumes, waiting, warning } = ending;
  const context: StopContext = {
    provider,
    clock,
    signal,
    waiting,
    warning,
    failing: ({ error, attempt, machine: id }) =>
      events.emit({
        type: "machine.leak_suspected",
        target: target.name,
        machine: id,
        attempt,
        reason: error.message,
        remedy: provider.remedy(id, token),
      }),
  };
  const together = isTogether(surroundings);
  const stopped = await stopMachine(context, machine, token, {
    mode: failed ? "terminate" : target.stopMode,
    // Of a group, another server may have attached them.
    orderly: (mayHoldVolumes || together) && (provider.hasVolumes || target.beforeStop !== undefined),
    giveBack: together ? (id) => giveShareBack(context, server, id) : undefined,
    before: (id, host) => runBeforeStop(surroundings, { id, host, token, waiting }),
  });
  if (together && stopped === "rests" && machine !== undefined) {
    // Who starts it again need not wait until the word of its end is too old to mean anything.
    await provider.annotate(machine, { [NOTE.stopping]: undefined }, signal).catch(() => undefined);
  }
  if (stopped === "left") {
    events.emit({ type: "machine.left_to_others", target: target.name, machine: machine ?? token });
  }
  return stopped;
}

interface Before {
  readonly id: string;
  readonly host: string;
  readonly token: string;
  readonly waiting: (what: string) => void;
}

type BeforeSurroundings = Pick<
  MachineContext,
  "target" | "clock" | "signal" | "remote" | "events" | "provider"
>;

/** That it failed is told as loudly as can be; a machine that costs money for ever would be worse. */
export async function runBeforeStop(
  surroundings: BeforeSurroundings,
  { id, host, token, waiting }: Before,
): Promise<void> {
  const { target, clock, signal, remote, events, provider } = surroundings;
  const { beforeStop: what, name } = target;
  if (!what) return;
  const port = dialPort(target, target.checkPort);
  const started = clock.now();
  try {
    await beforeStop({ what, host, port, remote, clock, signal, waiting });
    const seconds = (clock.now() - started) / 1_000;
    events.emit({ type: "machine.before_stop", target: name, machine: id, seconds });
  } catch (error) {
    signal.throwIfAborted();
    const reason = `${messageOf(error)}; the machine is shut down all the same`;
    const remedy = `check what is on its volumes at the next start; ${provider.remedy(id, token)}`;
    events.emit({ type: "machine.before_stop_failed", target: name, machine: id, reason, remedy });
  }
}
