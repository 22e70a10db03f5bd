import type { MachineTargetConfig } from "../../config/index.ts";
import { createEventStream } from "../../observe/index.ts";
import type { Machine, Provider } from "../../providers/index.ts";
import type { Clock } from "../../util/clock.ts";
import { LazysshError } from "../../util/errors.ts";
import { createCatalog } from "../catalog.ts";
import { runBeforeStop } from "../end/end.ts";
import type { Remote } from "../end/remote.ts";
import { type StopContext, stopMachine } from "../end/stop.ts";
import { hasOwnLease, isExpired, otherHolders } from "../group/notes.ts";
import { giveShareBack } from "../group/together.ts";
import type { Journal } from "./journal.ts";
import { withoutVolumes } from "./stranger.ts";

export interface SweepOptions {
  readonly targets: readonly MachineTargetConfig[];
  readonly provider: (target: MachineTargetConfig) => Provider;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly remote: Remote;
  /** Id of this server, and the group it is in. */
  readonly server: string;
  readonly group: string | undefined;
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

export interface Swept {
  /** What is to be ended. */
  readonly own: readonly OwnMachine[];
  /** What other servers of the group use now. */
  readonly others: readonly OwnMachine[];
}

/** Everything of ours that is in the cloud, found and ended without a running server. */
export interface Sweep {
  /** By the owner tag first, and then the journal. Machines that are gone, or rest as they are to, are not in it. */
  find(): Promise<Swept>;
  /**
   * Ends one as its target says, and resolves when the cloud has shown it so, or, of a group, when another server needs it after all.
   *
   * @throws LazysshError `UNKNOWN_TARGET` for an order whose target is not configured any more.
   */
  end(own: OwnMachine, options: EndOptions): Promise<"gone" | "rests" | "left">;
}

export function createSweep(options: SweepOptions): Sweep {
  const { targets, journal, clock, remote, server, group, signal } = options;
  const catalog = createCatalog(targets);
  const configOf = (name: string): MachineTargetConfig | undefined => {
    const target = catalog.find(name)?.target;
    return target?.type === "forward" ? undefined : target;
  };
  /** By address in the config: of a family one for all names. */
  const providers = new Map(targets.map((target) => [target.name, options.provider(target)]));
  /** Which provider has shown a machine: one of a target that is not configured any more is ended by it, too. */
  const seenBy = new Map<string, Provider>();

  const isOthers = (machine: Machine, records: ReadonlySet<string>): boolean => {
    if (group === undefined || records.has(machine.token ?? machine.id)) return false;
    const now = clock.now();
    const used = otherHolders(machine, server, now).length > 0;
    return used || !(hasOwnLease(machine, server) || isExpired(machine, now));
  };

  const restsAsItIsTo = ({ phase, target }: Machine): boolean => {
    const config = target === undefined ? undefined : configOf(target);
    return phase === "resting" && config !== undefined && config.shared && config.stopMode !== "terminate";
  };

  return {
    async find() {
      const own = new Map<string, OwnMachine>();
      const others = new Map<string, OwnMachine>();
      const { records } = await journal.read();
      const written = new Set(records.map(({ token }) => token));
      for (const each of providers.values()) {
        for (const machine of await each.list(signal)) {
          const { id, token, target, phase } = machine;
          if (own.has(id) || others.has(id) || restsAsItIsTo(machine)) continue;
          seenBy.set(id, each);
          const found = { target: target ?? "?", machine: id, token: token ?? id, phase };
          (isOthers(machine, written) ? others : own).set(id, found);
        }
      }
      const tokens = new Set([...own.values(), ...others.values()].map(({ token }) => token));
      for (const { token, target, machine, rests } of records) {
        if (!rests && !tokens.has(token)) own.set(token, { target, machine, token, phase: "ordered" });
      }
      return { own: [...own.values()], others: [...others.values()] };
    },

    async end({ target, machine, token }, { waiting, failing }) {
      const own = providers.get(catalog.find(target)?.family ?? "");
      const config = configOf(target);
      const responsible = own ?? (machine === undefined ? undefined : seenBy.get(machine));
      if (!responsible) {
        throw new LazysshError(
          "UNKNOWN_TARGET",
          `${machine ?? `the machine ordered with client token ${token}`} is of target "${target}", which is not configured ` +
            "any more: put the target back, or end the machine by hand",
        );
      }
      // The volumes that are waited for are those of the target that is configured, so only its own machine frees them.
      const provider = own ?? withoutVolumes(responsible);
      const context: StopContext = {
        provider,
        clock,
        signal,
        waiting,
        warning: waiting,
        failing: ({ error }) => failing(error, responsible.remedy(machine, token)),
      };
      const events = createEventStream();
      events.subscribe((event) => {
        if (event.type !== "machine.before_stop_failed") return;
        failing(new LazysshError("BEFORE_STOP_FAILED", event.reason), event.remedy);
      });
      const together = group !== undefined && (config?.shared ?? true);
      const stopped = await stopMachine(context, machine, token, {
        mode: config?.stopMode ?? "terminate",
        orderly: provider.hasVolumes,
        giveBack: together ? (id) => giveShareBack(context, server, id) : undefined,
        before: config
          ? (id, host) =>
              runBeforeStop(
                { target: config, clock, signal, remote, events, provider },
                { id, host, token, waiting },
              )
          : undefined,
      });
      if (stopped === "rests") {
        const startedAt = new Date(clock.now()).toISOString();
        await journal.write({ token, target, machine, startedAt, rests: true });
      } else {
        await journal.forget(token);
      }
      return stopped === "none" ? "gone" : stopped;
    },
  };
}
