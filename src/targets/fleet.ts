import { setMaxListeners } from "node:events";
import type { Config, MachineTargetConfig } from "../config/index.ts";
import type { EventStream } from "../observe/index.ts";
import type { Provider } from "../providers/index.ts";
import type { Clock } from "../util/clock.ts";
import { deadline, unlessAborted } from "../util/deadline.ts";
import { formatDuration } from "../util/duration.ts";
import { LazysshError } from "../util/errors.ts";
import type { ByHand } from "./by-hand.ts";
import type { Found, MachineContext } from "./context.ts";
import { createControls } from "./controls.ts";
import { createDefinitions } from "./definitions.ts";
import type { Remote } from "./end/remote.ts";
import type { Journal } from "./found/journal.ts";
import { createSurvey } from "./found/survey.ts";
import type { Lease, Targets, Tenant } from "./lease.ts";
import { MachineDriver } from "./life/machine.ts";
import type { Prober } from "./start/probe.ts";
import { assertUserMay, assertWithinBudget, assertWithinLimits, Lifted } from "./use/limits.ts";
import type { Meter } from "./use/meter.ts";

export interface FleetOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly events: EventStream;
  readonly journal: Journal;
  readonly probe: Prober;
  readonly remote: Remote;
  readonly meter: Meter;
  /** Id of this server, kept across restarts. */
  readonly server: string;
  /** Makes the provider of a target; called once for each definition. */
  readonly provider: (target: MachineTargetConfig) => Provider;
}

/** All machines of a configuration. */
export interface Fleet extends Targets, ByHand {
  /**
   * Takes another configuration. What it says counts for machines that are not ordered yet. Those there are go on as they were ordered, as
   * long as a lease keeps them; new leases of the target join them, so that none is started beside them. `server.group` stays as it was.
   */
  reconfigure(config: Config): void;
  /** Begins to take up what earlier runs left behind. Call before the first `acquire`. */
  recover(): Promise<void>;
  /** Ids of the machines that may be running now. */
  running(): readonly string[];
  /** Refuses new leases, ends those there are, and resolves when every machine is seen to be gone. Idempotent. */
  close(): Promise<void>;
  /** Gives up waiting for machines to stop; what is left is in the journal, for the next start. */
  abandon(): void;
}

export function createFleet({ config: first, provider, ...rest }: FleetOptions): Fleet {
  const { clock, events, journal } = rest;
  const abandoned = new AbortController();
  setMaxListeners(0, abandoned.signal); // each machine that is being stopped listens
  const contextOf = (
    target: MachineTargetConfig,
    family: string,
    before?: MachineContext,
  ): MachineContext => {
    const context: MachineContext = {
      ...rest,
      events: family === target.name ? events : eventsOf(family, events),
      target,
      family,
      provider: provider(target),
      lifted: before?.lifted ?? new Lifted(),
      group: first.server.group,
      memory: before?.memory ?? { generation: 0 },
      place: placeOf(target),
      discard: (found) => take(found.token, MachineDriver.leftover(context, found, true)),
      signal: abandoned.signal,
    };
    return context;
  };
  /** By target for shared machines, by target and connection for the others. */
  const machines = new Map<string, MachineDriver>();
  const definitions = createDefinitions({
    config: first,
    contextOf,
    sharedNow: (name) => machinesOf(name).find((machine) => !machine.idle)?.shared,
    onForgotten(name) {
      machines.delete(name);
      survey.forget(name);
    },
  });
  const { contexts } = definitions;
  const refusing = new AbortController();
  setMaxListeners(0, refusing.signal);
  let closed: LazysshError | undefined;
  let closing: Promise<void> | undefined;

  function machinesOf(target: string): MachineDriver[] {
    return [...machines.values()].filter((machine) => machine.target === target);
  }

  const keep = (key: string, machine: MachineDriver): void => {
    machines.set(key, machine);
    machine.onceIdle(() => {
      if (machines.get(key) === machine) machines.delete(key);
    });
  };

  const machinesOfFamily = (family: string): MachineDriver[] =>
    [...machines.values()].filter((machine) => machine.family === family);

  /** Machines that exist, or are about to. */
  const count = (among: readonly MachineDriver[]): number => among.filter((machine) => !machine.idle).length;

  const machineOf = (context: MachineContext, { connection, user }: Tenant): MachineDriver => {
    const { target } = context;
    const key = target.shared ? target.name : `${target.name} ${connection}`;
    const known = machines.get(key);
    // One that is being ended has a successor for who waits.
    const another = !known || known.idle || known.ending !== undefined;
    if (user && another) {
      const others = [...machines.values()].filter((machine) => machine !== known);
      const used = others.filter((machine) => machine.isUsedBy(user.name));
      assertUserMay(
        context,
        user,
        used.map((machine) => machine.target),
      );
    }
    if (another) assertWithinBudget(context);
    if (!known || known.idle) {
      assertWithinLimits(
        context,
        { ofTarget: count(machinesOfFamily(context.family)), ofAll: count([...machines.values()]) },
        definitions.config.server.maxMachines,
      );
      context.lifted.machine = false;
    }
    if (known) return known;
    const machine = new MachineDriver(context);
    // The machine of a connection is of no use to another; a shared one keeps its memory of failed starts.
    if (target.shared) machines.set(key, machine);
    else keep(key, machine);
    return machine;
  };

  const take = (key: string, machine: MachineDriver): void => {
    keep(key, machine);
    redefine(machine);
    if (closed) void machine.close(closed);
  };

  const redefine = (machine: MachineDriver): void =>
    machine.redefine(contexts.get(machine.target), definitions.unknown(machine.target));

  const end = (context: MachineContext, found: Found): void => {
    const { name, shared } = context.target;
    // Under the target's own name, so that whoever connects meanwhile waits for its end.
    take(shared && !machines.has(name) ? name : found.token, MachineDriver.leftover(context, found));
  };

  const adopt = (context: MachineContext, found: Found & { machine: string }): void => {
    const { name } = context.target;
    if (machines.has(name)) end(context, found);
    else take(name, MachineDriver.adopted(context, found));
  };

  const survey = createSurvey({
    contexts,
    contextOf: (name) => definitions.latest(name),
    clock,
    events,
    journal,
    adopt,
    end,
    known: (id, token) => [...machines.values()].some((machine) => machine.is(id, token)),
  });

  /** Resolves when it is known what already runs for the target, so that nothing is started beside it. */
  const surveyed = async (context: MachineContext, signal: AbortSignal): Promise<void> => {
    const { name, bootTimeoutMs } = context.target;
    const late = () =>
      new LazysshError(
        "CLOUD_UNREACHABLE",
        `${name}: the cloud did not say within ${formatDuration(bootTimeoutMs)} what already runs, so nothing was started`,
      );
    using limit = deadline(clock, bootTimeoutMs, late, signal, refusing.signal);
    await unlessAborted(limit.signal, survey.of(context));
  };

  const closeAll = async (reason: LazysshError): Promise<void> => {
    refusing.abort(reason);
    const known = [...machines.values()].map((machine) => machine.close(reason));
    await survey.settled();
    await Promise.all([...known, ...[...machines.values()].map((machine) => machine.close(reason))]);
  };

  const acquire = async (name: string, tenant: Tenant, signal: AbortSignal): Promise<Lease> => {
    signal.throwIfAborted();
    if (closed) throw closed;
    for (;;) {
      const to = definitions.fixed(name);
      if (to !== undefined) return fixedLease(to);
      const context = definitions.latest(name);
      if (!context) throw definitions.unknown(name, tenant.user);
      await surveyed(context, signal);
      if (closed) throw closed; // meanwhile
      if (definitions.latest(name) === context) return machineOf(context, tenant).acquire(tenant, signal);
    }
  };

  const controls = createControls({ definitions, clock, events, acquire, machinesOf, machinesOfFamily });

  const reconfigure = (config: Config): void => {
    const past = definitions.replace(config);
    for (const [key, machine] of machines) {
      // One that is not there has nothing but the memory of failed starts, of another definition.
      if (machine.idle && past.some(({ target }) => target.name === machine.target)) machines.delete(key);
      else redefine(machine);
    }
    survey.redefined(past);
  };

  return {
    ...controls,
    get names() {
      return definitions.names;
    },
    familyOf(name) {
      const family = definitions.find(name)?.family;
      return family === name ? undefined : family;
    },
    portsOf: (name) => definitions.find(name)?.target.ports,
    acquire,
    reconfigure,

    recover: () => survey.begin(),

    running: () => [
      ...[...machines.values()].map((machine) => machine.running).filter((id) => id !== undefined),
      ...survey.open(),
    ],

    close() {
      closed ??= new LazysshError(
        "SHUTTING_DOWN",
        "the jump host is shutting down: try again when it is back",
      );
      closing ??= closeAll(closed);
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
    portMap: new Map(),
    signal: new AbortController().signal,
    release,
    carries: release,
    stillRuns: async () => true,
    [Symbol.asyncDispose]: async () => release(),
  };
}

/** The same stream, for a name of a family: names that clients make up would be too many to count by. */
function eventsOf(family: string, events: EventStream): EventStream {
  return { ...events, emit: (event) => events.emit({ ...event, family }) };
}

/** What two definitions have in common that see the same machines. */
function placeOf(target: MachineTargetConfig): string {
  if (target.type === "command") return JSON.stringify([target.type]);
  const { type, region, profile, endpoint } = target;
  return JSON.stringify([type, region, profile, endpoint]);
}
