import type { Config, MachineTargetConfig, ServerConfig, TargetConfig } from "../config/index.ts";
import type { EventStream } from "../observe/index.ts";
import { createProvider, type Provider } from "../providers/index.ts";
import { createFrontDoor, type FrontDoor } from "../server/index.ts";
import {
  createFleet,
  createJournal,
  type Journal,
  openMeter,
  openStateDir,
  ownerMark,
  probe,
  remote,
  type StateDirChoice,
  serverId,
} from "../targets/index.ts";
import type { Clock } from "../util/clock.ts";
import { deadline, unlessAborted } from "../util/deadline.ts";
import { messageOf } from "../util/errors.ts";
import { applicable, compare, type Reloaded } from "./changes.ts";
import { type AsyncCloseable, startControl, startMetrics } from "./extras.ts";
import { statusLine } from "./status-line.ts";
import { createUsage } from "./usage.ts";

export interface HostOptions {
  readonly config: Config;
  readonly stateDir: StateDirChoice;
  readonly events: EventStream;
  readonly clock: Clock;
  /** File descriptors of listening sockets, to be used instead of `server.listen`. */
  readonly sockets?: readonly number[];
  /** Puts something between the machines' lives and what they work on: how tests cut a life off at each of its effects. */
  readonly between?: (surroundings: Surroundings) => Surroundings;
}

export interface Surroundings {
  readonly provider: (target: MachineTargetConfig) => Provider;
  readonly journal: Journal;
}

/** A running jump host: front door, machines, what is remembered of them, and the controls. */
export interface Host {
  /** Where it listens, with the port the system chose when port 0 was asked for. */
  readonly address: { readonly host: string; readonly port: number };
  readonly stateDir: string;
  /** Ids of the machines that may be running in the cloud now. */
  running(): readonly string[];
  /** Whether it does what it is there for: as long as it is not being closed, whether it listens. */
  healthy(): boolean;
  /** What it does, in a line for people. */
  status(): string;
  /**
   * Has another config from now on, for new logins and new machines; connections and machines that there are go on. What is said
   * once, at the start, stays.
   *
   * @throws LazysshError `CONFIG_INVALID` when a host key cannot be used; then everything stays as it was.
   */
  reload(config: Config): Reloaded;
  /**
   * Refuses new connections and channels, and resolves when those there are have ended, when `server.drain_timeout` is over, or
   * when the signal aborts.
   */
  drain(signal: string, hurry: AbortSignal): Promise<void>;
  /** Refuses new work, stops every machine and resolves when the cloud has shown them gone. Idempotent. */
  close(signal: string): Promise<void>;
  /** Gives up waiting for `close`: what still runs stays in the state directory for the next start. */
  abandon(): void;
}

/** Those who have workers tell them, too, which targets there are. */
interface Door extends Omit<FrontDoor, "reload"> {
  reload(config: ServerConfig, targets: readonly TargetConfig[]): void;
}

/**
 * Takes the state directory, takes up what an earlier run left, and listens.
 *
 * @throws LazysshError `CONFIG_INVALID` for what the user has to change (address in use, state directory taken).
 */
export async function startHost(options: HostOptions): Promise<Host> {
  const { stateDir: choice, events, clock, sockets, between = (surroundings) => surroundings } = options;
  let { config } = options;
  const stateDir = await openStateDir(choice, config.file);
  const { group } = config.server;
  const journal = createJournal(stateDir.path);
  const { records } = await journal.read();
  const meter = await openMeter(stateDir.path, new Set(records.map(({ token }) => token)), (error) =>
    events.emit({ type: "server.warning", reason: `cannot write down machine time: ${messageOf(error)}` }),
  );
  const fleet = createFleet({
    config,
    clock,
    events,
    probe,
    remote,
    meter,
    server: serverId(stateDir),
    ...between({
      journal,
      provider: (target) =>
        createProvider(target, { owner: ownerMark(stateDir, group), stateDir: stateDir.path }),
    }),
  });
  const inside = { targets: fleet, controls: fleet, events, clock };
  const door: Door =
    config.server.workers > 1
      ? (await import("../workers/index.ts")).createWorkers({ config, ...inside })
      : createFrontDoor({ config: config.server, ...inside });
  const usage = createUsage(events);
  const around = { config, events, clock };
  let address: Host["address"];
  let metrics: AsyncCloseable | undefined;
  try {
    metrics = await startMetrics(around); // before anything happens that is to be counted
    await fleet.recover();
    address = await door.listen(sockets);
  } catch (error) {
    fleet.abandon();
    await metrics?.close();
    await stateDir.close();
    throw error;
  }
  const control = await startControl(around, { machines: fleet, stateDir: stateDir.path, address });
  let closing: Promise<void> | undefined;
  const refuseNew = () => door.refuseNew("the jump host is shutting down: try again when it is back");
  let phase: "serving" | "draining" | "stopping" = "serving";
  const drain = async (signal: string, hurry: AbortSignal): Promise<void> => {
    const { drainMs } = config.server;
    const { channels } = usage;
    if (drainMs <= 0 || channels.length === 0) return;
    phase = "draining";
    events.emit({ type: "server.draining", signal, seconds: drainMs / 1_000, channels });
    refuseNew();
    using limit = deadline(clock, drainMs, () => "drain_timeout is over", hurry);
    await unlessAborted(limit.signal, usage.unused()).catch(() => undefined);
  };
  const close = async (signal: string): Promise<void> => {
    phase = "stopping";
    events.emit({ type: "server.stopping", signal, machines: fleet.running() });
    refuseNew();
    await fleet.close();
    await meter.settled();
    await door.close();
    // As late as that, so that it can be asked what it waits for.
    await control?.close();
    await metrics?.close();
    await stateDir.close();
  };
  return {
    address,
    stateDir: stateDir.path,
    running: () => fleet.running(),
    healthy: () => phase !== "serving" || door.listening,
    status: () => statusLine(phase, fleet.status(), usage),
    reload(given) {
      const next = applicable(config, given);
      door.reload(next.server, next.targets);
      fleet.reconfigure(next);
      const { changes } = compare(config, next);
      const { kept } = compare(config, given);
      config = next;
      return { changes, kept };
    },
    drain,
    close: (signal) => (closing ??= close(signal)),
    abandon: () => fleet.abandon(),
  };
}
