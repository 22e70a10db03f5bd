import type { MachineTargetConfig } from "../config/index.ts";
import type { Provider } from "../providers/index.ts";
import type { Clock } from "../util/clock.ts";
import { LazysshError } from "../util/errors.ts";
import type { Journal } from "./journal.ts";
import { stopMachine } from "./stop.ts";
import { withoutVolumes } from "./stranger.ts";

export interface SweepOptions {
  readonly targets: readonly MachineTargetConfig[];
  readonly provider: (target: MachineTargetConfig) => Provider;
  readonly journal: Journal;
  readonly clock: Clock;
  /** Ends the sweep; what it had not ended stays. */
  readonly signal: AbortSignal;
}

/** A machine that carries our mark, or an order of ours that was never answered. */
export interface OwnMachine {
  /** The target it was started for. */
  readonly target: string;
  /** The cloud's id; undefined while only the order is known. */
  readonly machine: string | undefined;
  readonly token: string;
  /** As the cloud says, or `ordered` when only the journal knows of it. */
  readonly phase: string;
}

export interface EndOptions {
  /** Told what is waited for, and of each failed attempt with what a person could do instead. */
  readonly waiting: (what: string) => void;
  readonly failing: (error: LazysshError, remedy: string) => void;
}

/** Everything of ours that is in the cloud, found and ended without a running server. */
export interface Sweep {
  /** By the owner tag first, and then the journal. Machines that are gone are not in it. */
  find(): Promise<readonly OwnMachine[]>;
  /**
   * Ends one, and resolves when the cloud has shown it gone.
   *
   * @throws LazysshError `UNKNOWN_TARGET` for an order whose target is not configured any more.
   */
  end(own: OwnMachine, options: EndOptions): Promise<void>;
}

export function createSweep({ targets, provider, journal, clock, signal }: SweepOptions): Sweep {
  const providers = new Map(targets.map((target) => [target.name, provider(target)]));
  /** Which provider has shown a machine: one of a target that is not configured any more is ended by it, too. */
  const seenBy = new Map<string, Provider>();

  return {
    async find() {
      const found = new Map<string, OwnMachine>();
      for (const each of providers.values()) {
        for (const { id, token, target, phase } of await each.list(signal)) {
          if (found.has(id)) continue;
          seenBy.set(id, each);
          found.set(id, { target: target ?? "?", machine: id, token: token ?? id, phase });
        }
      }
      const { records } = await journal.read();
      const tokens = new Set([...found.values()].map(({ token }) => token));
      for (const { token, target, machine } of records) {
        if (!tokens.has(token)) found.set(token, { target, machine, token, phase: "ordered" });
      }
      return [...found.values()];
    },

    async end({ target, machine, token }, { waiting, failing }) {
      const own = providers.get(target);
      const responsible = own ?? (machine === undefined ? undefined : seenBy.get(machine));
      if (!responsible) {
        throw new LazysshError(
          "UNKNOWN_TARGET",
          `${machine ?? `the machine ordered with client token ${token}`} is of target "${target}", which is not configured ` +
            "any more: put the target back, or end the machine by hand",
        );
      }
      await stopMachine(
        {
          // The volumes that are waited for are those of the target that is configured, so only its own machine frees them.
          provider: own ?? withoutVolumes(responsible),
          clock,
          signal,
          waiting,
          warning: waiting,
          failing: ({ error }) => failing(error, responsible.remedy(machine, token)),
        },
        machine,
        token,
      );
      await journal.forget(token);
    },
  };
}
