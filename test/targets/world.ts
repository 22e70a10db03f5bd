import { setMaxListeners } from "node:events";
import type { AwsEc2Target, Config } from "../../src/config/index.ts";
import { createEventStream, type LazysshEvent } from "../../src/observe/index.ts";
import type { Provider } from "../../src/providers/index.ts";
import { createFleet, createMeter, type Journal, type Lease, type Tenant } from "../../src/targets/index.ts";
import type { LazysshError } from "../../src/util/errors.ts";
import { SimClock } from "../harness/sim-clock.ts";
import { SimProvider } from "../harness/sim-provider.ts";
import { targetWith } from "../harness/target.ts";

type LaunchRecord = Parameters<Journal["write"]>[0];

/** A journal in memory that outlives the fleet, as the state directory outlives the process. */
export function memoryJournal(): Journal & { records: Map<string, LaunchRecord> } {
  const records = new Map<string, LaunchRecord>();
  return {
    records,
    write: async (record) => void records.set(record.token, record),
    forget: async (token) => void records.delete(token),
    read: async () => ({ records: [...records.values()], unreadable: [] }),
  };
}

const archiver = targetWith({
  ready: "ssh",
  bootTimeoutMs: 60_000,
  attachVolumes: [{ deviceName: "/dev/sdf", volumeId: "vol-1" }],
});

/** Puts something between the first fleet and its surroundings; fleets started later have them as they are. */
export type Between = (provider: Provider, journal: Journal) => { provider: Provider; journal: Journal };

/**
 * Fleets of one target on a simulated clock, cloud and journal. `start` makes another one of the same, as the program does
 * when it is started again.
 */
export function world(
  overrides: Partial<AwsEc2Target> = {},
  between?: Between,
  { group, maxMachines }: { readonly group?: string; readonly maxMachines?: number } = {},
) {
  const clock = new SimClock();
  const cloud = new SimProvider(clock);
  const journal = memoryJournal();
  const seen: LazysshEvent[] = [];
  /** How long after its start to answer the port of a machine answers. */
  const port = { delayMs: 2_000, answers: true, asked: [] as number[] };
  /** Clouds of other regions. */
  const regions = new Map<string, SimProvider>();
  /** Commands that were run on machines, and what becomes of the next. */
  const remote = { commands: [] as string[], fails: undefined as LazysshError | undefined };
  const meter = createMeter();
  /** `changed`: what differs from the first definition; "removed": the target is not there. */
  const config = (changed: Partial<AwsEc2Target> | "removed" = {}): Config => ({
    file: "config.hcl",
    server: { group, maxMachines } as Config["server"],
    jobs: [],
    targets: [
      ...(changed === "removed" ? [] : [{ ...archiver, ...overrides, ...changed }]),
      { type: "forward", name: "home", to: "192.0.2.1", ports: undefined },
    ],
  });
  const start = (around?: Between, changed: Parameters<typeof config>[0] = {}, server = "first") => {
    const surroundings = around?.(cloud, journal) ?? { provider: cloud, journal };
    const events = createEventStream();
    events.subscribe((event) => seen.push(event));
    return createFleet({
      config: config(changed),
      clock,
      events,
      journal: surroundings.journal,
      meter,
      server,
      remote: async ({ command }) => {
        remote.commands.push(command.join(" "));
        if (remote.fails) throw remote.fails;
      },
      provider: (target) =>
        regions.get((target.type === "aws_ec2" && target.region) || "") ?? surroundings.provider,
      probe: async ({ signal, onWaiting, port: asked }) => {
        port.asked.push(asked);
        onWaiting("10.0.0.1:22 refuses connections");
        await clock.sleep(port.delayMs, signal);
        while (!port.answers) await clock.sleep(100, signal);
        return { greeted: true };
      },
    });
  };
  const fleet = start(between);
  let connections = 0;
  const tenant = (): Tenant => ({ connection: `c${++connections}`, client: "192.0.2.7" });
  const never = new AbortController().signal;
  setMaxListeners(0, never);
  /** A lease that is asked for now and whose outcome is looked at later. */
  const ask = (
    options: { signal?: AbortSignal; from?: typeof fleet; target?: string; who?: Tenant } = {},
  ) => {
    const asked: { lease?: Lease; error?: LazysshError; settled: boolean } = { settled: false };
    (options.from ?? fleet)
      .acquire(options.target ?? "archiver", options.who ?? tenant(), options.signal ?? never)
      .then(
        (lease) => Object.assign(asked, { lease, settled: true }),
        (error) => Object.assign(asked, { error, settled: true }),
      );
    return asked;
  };
  const quiet = () => cloud.running.length === 0 && cloud.volumeFree;
  return {
    clock,
    cloud,
    journal,
    seen,
    fleet,
    start,
    config,
    ask,
    tenant,
    quiet,
    port,
    remote,
    meter,
    regions,
  };
}

/** A world with one client that has the machine, and moves bytes as told. */
export async function served(overrides: Parameters<typeof world>[0] = {}) {
  const w = world(overrides);
  const first = w.ask();
  await w.clock.until(() => first.settled, 20_000);
  const wire = { bytes: 100, fromMachine: 50 };
  first.lease?.carries(() => ({ total: wire.bytes, fromMachine: wire.fromMachine }));
  const reason = () => (first.lease?.signal.reason as { message?: string } | undefined)?.message ?? "";
  return { ...w, first, wire, reason };
}
