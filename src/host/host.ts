import type { Config, MachineTargetConfig } from "../config/index.ts";
import type { EventStream } from "../observe/index.ts";
import { createProvider, type Provider } from "../providers/index.ts";
import { createFrontDoor } from "../server/index.ts";
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
import { messageOf } from "../util/errors.ts";
import { type AsyncCloseable, startControl, startMetrics } from "./extras.ts";

export interface HostOptions {
  readonly config: Config;
  readonly stateDir: StateDirChoice;
  readonly events: EventStream;
  readonly clock: Clock;
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
  /** Refuses new work, stops every machine and resolves when the cloud has shown them gone. Idempotent. */
  close(signal: string): Promise<void>;
  /** Gives up waiting for `close`: what still runs stays in the state directory for the next start. */
  abandon(): void;
}

/**
 * Takes the state directory, takes up what an earlier run left, and listens.
 *
 * @throws LazysshError `CONFIG_INVALID` for what the user has to change (address in use, state directory taken).
 */
export async function startHost(options: HostOptions): Promise<Host> {
  const { config, stateDir: choice, events, clock, between = (surroundings) => surroundings } = options;
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
      provider: (target) => createProvider(target, { owner: ownerMark(stateDir, group) }),
    }),
  });
  const door = createFrontDoor({ config: config.server, targets: fleet, controls: fleet, events, clock });
  const around = { config, events, clock };
  let address: Host["address"];
  let metrics: AsyncCloseable | undefined;
  try {
    metrics = await startMetrics(around); // before anything happens that is to be counted
    await fleet.recover();
    address = await door.listen();
  } catch (error) {
    fleet.abandon();
    await metrics?.close();
    await stateDir.close();
    throw error;
  }
  const control = await startControl(around, { machines: fleet, stateDir: stateDir.path, address });
  let closing: Promise<void> | undefined;
  const close = async (signal: string): Promise<void> => {
    events.emit({ type: "server.stopping", signal, machines: fleet.running() });
    door.refuseNew("the jump host is shutting down: try again when it is back");
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
    close: (signal) => (closing ??= close(signal)),
    abandon: () => fleet.abandon(),
  };
}
