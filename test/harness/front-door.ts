import type { ServerConfig } from "../../src/config/types.ts";
import { createEventStream, type LazysshEvent } from "../../src/observe/events.ts";
import { createFrontDoor, type FrontDoor, type Limits } from "../../src/server/index.ts";
import type { Lease, Targets, Tenant } from "../../src/targets/lease.ts";
import { systemClock } from "../../src/util/clock.ts";
import { LazysshError } from "../../src/util/errors.ts";
import { type FakeMachines, fakeMachines, restingTarget } from "./by-hand.ts";
import { serverConfig } from "./server-config.ts";
import { type KeyFiles, type SshFolder, sshFolder } from "./ssh.ts";

/** Targets that need no machine: names to hosts, with counts of what is held. */
interface FakeTargets extends Targets {
  /** Leases that are held now. */
  readonly held: number;
  /** What channels may reach, of any target. */
  ports: readonly number[] | undefined;
  /** Acquires that have not been answered. */
  readonly pending: number;
  readonly tenants: readonly Tenant[];
  /** What happens before a lease is given; may wait, and may throw. Aborted with the request. */
  boot: (target: string, signal: AbortSignal) => Promise<void>;
  /** Takes the machine away from all who hold it. */
  kill(reason: string): void;
}

function fakeTargets(hosts: Readonly<Record<string, string>>): FakeTargets {
  const leases = new Map<Lease, AbortController>();
  const tenants: Tenant[] = [];
  let pending = 0;
  const targets: FakeTargets = {
    names: Object.keys(hosts),
    familyOf: () => undefined,
    portsOf: () => targets.ports,
    ports: undefined,
    tenants,
    boot: () => Promise.resolve(),
    get held() {
      return leases.size;
    },
    get pending() {
      return pending;
    },
    async acquire(target, tenant, signal) {
      signal.throwIfAborted();
      const host = hosts[target];
      if (host === undefined) {
        const known = Object.keys(hosts).join(", ");
        throw new LazysshError("UNKNOWN_TARGET", `unknown target "${target}": this jump host has ${known}`);
      }
      tenants.push(tenant);
      pending += 1;
      try {
        await targets.boot(target, signal);
      } finally {
        pending -= 1;
      }
      signal.throwIfAborted();
      const taken = new AbortController();
      const release = (): void => {
        leases.delete(lease);
      };
      const lease: Lease = {
        host,
        portMap: new Map(),
        signal: taken.signal,
        release,
        carries: () => undefined,
        stillRuns: async () => true,
        [Symbol.asyncDispose]: () => Promise.resolve(release()),
      };
      leases.set(lease, taken);
      return lease;
    },
    kill(reason) {
      for (const taken of [...leases.values()]) taken.abort(new LazysshError("MACHINE_DIED", reason));
    },
  };
  return targets;
}

/** A front door on a loopback port, with a key that may come in and everything a client needs to know. */
export interface OpenDoor extends AsyncDisposable {
  readonly door: FrontDoor;
  readonly port: number;
  readonly targets: FakeTargets;
  /** What sessions see and do. */
  readonly machines: FakeMachines;
  /** Has another config from now on: the first one, with these changes. */
  reload(changes: Partial<ServerConfig>): void;
  readonly events: readonly LazysshEvent[];
  readonly folder: SshFolder;
  readonly hostKey: KeyFiles;
  readonly clientKey: KeyFiles;
  /** An ssh_config with the entry `lazyssh`, and those given. */
  config(hosts?: Readonly<Record<string, Readonly<Record<string, string | number>>>>): Promise<string>;
  /** The first event of a type, past or to come; fails when none comes in time. */
  event<T extends LazysshEvent["type"]>(
    type: T,
    matches?: (event: Extract<LazysshEvent, { type: T }>) => boolean,
  ): Promise<Extract<LazysshEvent, { type: T }>>;
}

export interface DoorOptions {
  /** Name of the target to the host that is dialled. Default: `archiver` on 127.0.0.1. */
  readonly hosts?: Readonly<Record<string, string>>;
  readonly limits?: Partial<Limits>;
  /** What differs from `serverConfig`. */
  readonly config?: Partial<ServerConfig>;
  readonly hostKeyType?: "ed25519" | "ecdsa" | "rsa";
  readonly clientKeyType?: "ed25519" | "ecdsa" | "rsa";
}

export async function openDoor(options: DoorOptions = {}): Promise<OpenDoor> {
  const folder = await sshFolder();
  const hostKey = await folder.key("host", options.hostKeyType);
  const clientKey = await folder.key("client", options.clientKeyType);
  const targets = fakeTargets(options.hosts ?? { archiver: "127.0.0.1" });
  const machines = fakeMachines([restingTarget()]);
  const stream = createEventStream();
  const events: LazysshEvent[] = [];
  stream.subscribe((event) => events.push(event));
  const config = serverConfig(hostKey, clientKey, options.config);
  const door = createFrontDoor({
    config,
    targets,
    controls: machines,
    events: stream,
    clock: systemClock,
    ...(options.limits && { limits: options.limits }),
  });
  const { port } = await door.listen();
  await folder.known("127.0.0.1", port, hostKey);
  const jump = { HostName: "127.0.0.1", Port: port, User: "jump", IdentityFile: clientKey.path };
  return {
    door,
    port,
    targets,
    machines,
    reload: (changes) => door.reload({ ...config, ...changes }),
    events,
    folder,
    hostKey,
    clientKey,
    config: (hosts = {}) => folder.config({ ...hosts, lazyssh: { ...jump, ...hosts.lazyssh } }),
    event: (type, matches = () => true) =>
      poll(`event ${type}`, () =>
        events.find(
          (event): event is Extract<LazysshEvent, { type: typeof type }> =>
            event.type === type && matches(event as Extract<LazysshEvent, { type: typeof type }>),
        ),
      ),
    async [Symbol.asyncDispose]() {
      await door.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Asks every 10 ms until there is an answer other than undefined or false. */
export async function poll<T>(
  what: string,
  ask: () => T | undefined | false,
  deadlineMs = 20_000,
): Promise<T> {
  const until = Date.now() + deadlineMs;
  for (;;) {
    const answer = ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > until) throw new Error(`${what} did not come within ${deadlineMs} ms`);
    await systemClock.sleep(10);
  }
}
