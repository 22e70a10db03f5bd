import { setMaxListeners } from "node:events";
import type { Config, MachineTargetConfig } from "../config/index.ts";
import type { EventStream } from "../observe/index.ts";
import type { Provider } from "../providers/index.ts";
import type { Clock } from "../util/clock.ts";
import { LazysshError } from "../util/errors.ts";
import { nearest } from "../util/nearest.ts";
import type { MachineContext } from "./context.ts";
import type { Journal } from "./journal.ts";
import type { Lease, Targets, Tenant } from "./lease.ts";
import { MachineDriver } from "./machine.ts";
import type { Prober } from "./probe.ts";

export interface FleetOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly events: EventStream;
  readonly journal: Journal;
  readonly probe: Prober;
  /** Makes the provider of a target; called once for each. */
  readonly provider: (target: MachineTargetConfig) => Provider;
}

/** All machines of a configuration. */
export interface Fleet extends Targets {
  /** Takes up what earlier runs left behind and begins to stop it. Call before the first `acquire`. */
  recover(): Promise<void>;
  /** Ids of the machines that may be running now. */
  running(): readonly string[];
  /** Refuses new leases, ends those there are, and resolves when every machine is seen to be gone. Idempotent. */
  close(): Promise<void>;
  /** Gives up waiting for machines to stop; what is left is in the journal, for the next start. */
  abandon(): void;
}

export function createFleet({ config, provider, ...rest }: FleetOptions): Fleet {
  const { events, journal } = rest;
  const abandoned = new AbortController();
  setMaxListeners(0, abandoned.signal); // each machine that is being stopped listens
  const contexts = new Map<string, MachineContext>();
  const fixed = new Map<string, string>();
  for (const target of config.targets) {
    if (target.type === "forward") fixed.set(target.name, target.to);
    else contexts.set(target.name, { ...rest, target, provider: provider(target), signal: abandoned.signal });
  }
  const names = config.targets.map((target) => target.name);
  /** By target for shared machines, by target and connection for the others. */
  const machines = new Map<string, MachineDriver>();
  let closed: LazysshError | undefined;
  let closing: Promise<void> | undefined;

  const keep = (key: string, machine: MachineDriver): void => {
    machines.set(key, machine);
    machine.onceIdle(() => {
      if (machines.get(key) === machine) machines.delete(key);
    });
  };

  const machineOf = (context: MachineContext, { connection }: Tenant): MachineDriver => {
    const { target } = context;
    const key = target.shared ? target.name : `${target.name} ${connection}`;
    const known = machines.get(key);
    if (known) return known;
    const machine = new MachineDriver(context);
    // The machine of a connection is of no use to another; a shared one keeps its memory of failed starts.
    if (target.shared) machines.set(key, machine);
    else keep(key, machine);
    return machine;
  };

  return {
    names,
    async acquire(name: string, tenant: Tenant, signal: AbortSignal): Promise<Lease> {
      signal.throwIfAborted();
      if (closed) throw closed;
      const to = fixed.get(name);
      if (to !== undefined) return fixedLease(to);
      const context = contexts.get(name);
      if (!context) throw unknownTarget(name, names);
      return machineOf(context, tenant).acquire(signal);
    },

    async recover() {
      const { records, unreadable } = await journal.read();
      for (const file of unreadable) {
        events.emit({
          type: "server.warning",
          reason: `${file} does not read as the record of a machine and is left alone: look for machines it may mean`,
        });
      }
      for (const record of records) {
        const context = contexts.get(record.target);
        if (!context) {
          events.emit({
            type: "server.warning",
            reason:
              `a machine of target "${record.target}" may still be running ` +
              `(${record.machine ?? `client token ${record.token}`}, started ${record.startedAt}), ` +
              "but no such target is configured any more: put it back for one start, or end the machine by hand",
          });
          continue;
        }
        const key = machines.has(record.target) || !context.target.shared ? record.token : record.target;
        keep(key, MachineDriver.leftover(context, record));
      }
    },

    running: () => [...machines.values()].map((machine) => machine.running).filter((id) => id !== undefined),

    close() {
      closed ??= new LazysshError(
        "SHUTTING_DOWN",
        "the jump host is shutting down: try again when it is back",
      );
      const reason = closed;
      closing ??= Promise.all([...machines.values()].map((machine) => machine.close(reason))).then(
        () => undefined,
      );
      return closing;
    },

    abandon() {
      abandoned.abort(new LazysshError("SHUTTING_DOWN", "told to end at once"));
    },
  };
}

function fixedLease(host: string): Lease {
  const release = () => undefined;
  return {
    host,
    signal: new AbortController().signal,
    release,
    [Symbol.asyncDispose]: async () => release(),
  };
}

function unknownTarget(name: string, names: readonly string[]): LazysshError {
  const shown = name.length > 64 ? `${name.slice(0, 64)}…` : name;
  const near = nearest(name, names);
  const hint = near !== undefined ? `did you mean "${near}"? ` : "";
  const known = names.length === 0 ? "no targets are configured" : `targets are: ${names.join(", ")}`;
  return new LazysshError("UNKNOWN_TARGET", `there is no target "${shown}": ${hint}${known}`);
}
