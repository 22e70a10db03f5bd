import type { EventStream } from "../observe/index.ts";
import type { Clock } from "../util/clock.ts";
import { LazysshError } from "../util/errors.ts";
import type { ByHand, HoldOptions, TargetStatus } from "./by-hand.ts";
import type { MachineContext } from "./context.ts";
import type { Definitions } from "./definitions.ts";
import type { Lease, Targets } from "./lease.ts";
import type { MachineDriver } from "./life/machine.ts";

export interface ControlsOptions {
  readonly definitions: Definitions;
  readonly clock: Clock;
  readonly events: EventStream;
  readonly acquire: Targets["acquire"];
  readonly machinesOf: (target: string) => readonly MachineDriver[];
  readonly machinesOfFamily: (family: string) => readonly MachineDriver[];
}

interface Hold {
  readonly lease: Lease;
  /** Ends the wait for the end of its time. */
  timer: AbortController;
}

/** The fleet in the hands of a person. */
export function createControls(options: ControlsOptions): ByHand {
  const { definitions, clock, events, acquire, machinesOf, machinesOfFamily } = options;
  const { contexts, removed } = definitions;
  const holds = new Map<string, Hold>();

  /** A target that is not configured any more, and still has a machine. */
  const remains = (name: string): boolean => removed.has(name) && machinesOf(name).some(({ idle }) => !idle);

  const assertKnown = (name: string): void => {
    if (!definitions.find(name) && !remains(name)) throw definitions.unknown(name);
  };

  const contextToHold = (name: string): MachineContext => {
    if (!definitions.find(name)) throw definitions.unknown(name);
    const context = definitions.latest(name);
    if (context?.target.shared) return context;
    const why = context
      ? "each connection has a machine of its own (shared = false)"
      : "nothing is started for it (forward)";
    throw new LazysshError("BAD_REQUEST", `${name}: there is no machine to be kept by hand: ${why}`);
  };

  const letGo = (name: string): void => {
    const hold = holds.get(name);
    holds.delete(name);
    hold?.timer.abort("let go");
    hold?.lease.release();
  };

  /** Has the hold end after `forMs`; a later call sets a new time. */
  const limit = (name: string, hold: Hold, forMs: number | undefined): void => {
    hold.timer.abort("another time");
    hold.timer = new AbortController();
    if (forMs === undefined) return;
    const over = () => {
      if (holds.get(name) === hold) letGo(name);
    };
    clock.sleep(forMs, hold.timer.signal).then(over, () => undefined);
  };

  const take = async (name: string, { signal, onWaiting, by }: HoldOptions): Promise<Hold> => {
    const stop = events.subscribe((event) => {
      if (event.type === "machine.waiting" && event.target === name) onWaiting?.(event.waitingFor);
    });
    try {
      const lease = await acquire(name, { connection: "", client: "", ...by, byHand: true }, signal);
      const hold: Hold = { lease, timer: new AbortController() };
      const lost = () => {
        if (holds.get(name) === hold) letGo(name);
      };
      lease.signal.addEventListener("abort", lost, { once: true });
      return hold;
    } finally {
      stop();
    }
  };

  /** Of a family, and of a name that stands for itself. */
  const machinesNow = (name: string): MachineDriver[] => {
    const members = machinesOfFamily(name).filter(({ target }) => !definitions.names.includes(target));
    return [...new Set([...machinesOf(name), ...members])];
  };

  const statusOf = (name: string): TargetStatus => {
    const context = contexts.get(name) ?? removed.get(name);
    return {
      name,
      type: context?.provider.type ?? "forward",
      summary: context?.provider.summary,
      machines: machinesNow(name).flatMap((machine) => machine.status ?? []),
      usedTodayMs: context?.meter.usedToday(name, clock.now()) ?? 0,
      budgetMsPerDay: context?.target.budgetMsPerDay,
      hourlyPrice: context?.target.hourlyPrice,
    };
  };

  return {
    status: () => [...definitions.names, ...[...removed.keys()].filter(remains)].map(statusOf),

    async hold(name, holding) {
      const { lifted } = contextToHold(name);
      if (holding.lift) lifted.lift(clock.now());
      let hold = holds.get(name);
      if (!hold) {
        hold = await take(name, holding);
        // A start has reset it, for the machine before.
        if (holding.lift) lifted.machine = true;
        if (holds.has(name)) hold.lease.release(); // another was faster
        hold = holds.get(name) ?? hold;
        holds.set(name, hold);
      }
      limit(name, hold, holding.forMs);
    },

    async drop(name, { cut }) {
      assertKnown(name);
      letGo(name);
      const machines = machinesOf(name);
      const reason = cut ? endedByHand(name) : undefined;
      const kept = machines.flatMap((machine) => machine.drop(reason));
      return { machines: machines.flatMap((machine) => machine.ending ?? []), kept };
    },

    async volumes(name, signal) {
      if (!contexts.has(name)) assertKnown(name);
      return (await (contexts.get(name) ?? removed.get(name))?.provider.volumes(signal)) ?? [];
    },
  };
}

function endedByHand(name: string): LazysshError {
  return new LazysshError("ENDED_BY_HAND", `${name}: its machine was stopped by hand on the jump host`);
}
