import { accessSync, constants, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Clock, systemClock } from "../util/clock.ts";
import { planAddresses } from "./addresses.ts";
import { type ClientFilesOptions, writeClientFiles } from "./client-files.ts";
import { Cloud } from "./cloud/cloud.ts";
import { importKeyPair } from "./cloud/key-pairs.ts";
import { restore } from "./cloud/record.ts";
import { DEFAULT_ZONE, REGION } from "./cloud/region.ts";
import type { Delays } from "./cloud/state.ts";
import { createVolume } from "./cloud/volumes.ts";
import { writeConfig } from "./config-file.ts";
import { configText } from "./config-text.ts";
import { Faults } from "./ec2/faults.ts";
import { createListener, type Listener } from "./ec2/listener.ts";
import { Folders } from "./folders.ts";
import { createGateway } from "./gateway.ts";
import { GUEST_PROGRAM } from "./guest/guest.ts";
import { Hypervisor } from "./hypervisor.ts";
import { Journal } from "./journal.ts";
import { prepareKeys, type WorldKeys } from "./keys.ts";
import { lockFolder } from "./lock.ts";
import { createMischief, type Mischief } from "./mischief.ts";
import { viewState, type WorldState } from "./state-view.ts";
import { readRecord, Store } from "./store.ts";
import { runCloud } from "./ticker.ts";

export interface WorldOptions {
  /** Where everything lives; made (mode 0700) when missing. Not empty. */
  readonly dir: string;
  /** Default: the machine's own. */
  readonly clock?: Clock;
  readonly delays?: Partial<Delays>;
  /** Zone of the volume and the configuration. Default `us-west-2d`. */
  readonly zone?: string;
  /** Port of the guests' SSH servers. Default 2222. */
  readonly guestPort?: number;
  /** `host:port` for the generated configuration. Default `localhost:7922`. */
  readonly listen?: string;
  /** For the generated configuration, as a Go duration. Default `2s`. */
  readonly linger?: string;
  /** A program that every machine runs when it boots, in its home; it ends with the machine. */
  readonly boot?: string;
  /** The compiled guest program, for callers that run from TypeScript source on a Node that cannot. */
  readonly guestProgram?: URL;
  /** Numbers in [0, 1) that decide which calls a fault of some probability hits. Default `Math.random`. */
  readonly random?: () => number;
  /** Called with what went wrong inside the world itself. */
  readonly onProblem?: (problem: string) => void;
}

/** A running dev world. */
export interface World extends Mischief {
  /** Absolute. */
  readonly dir: string;
  /** URL of the EC2 API. */
  readonly endpoint: string;
  readonly region: string;
  /** The volume of the generated configuration. */
  readonly volumeId: string;
  /** Where that volume's files are. */
  readonly volumeFolder: string;
  readonly guestPort: number;
  readonly keys: WorldKeys;
  /** `DIR/config.hcl`. */
  readonly configFile: string;
  readonly faults: Faults;
  readonly cloud: Cloud;
  state(): WorldState;
  /** Delays of what is begun from now on. */
  setDelays(delays: Partial<Delays>): void;
  /** Takes the EC2 API away, connections and all, for `ms`; resolves when it is back on the same port. */
  outage(ms: number): Promise<void>;
  /** Writes `ssh_config`, `known_hosts` and, last, `dev.json` for a jump server that listens. */
  writeClientFiles(options: ClientFilesOptions): Promise<void>;
  /** Kills all guests and closes the API. Volumes stay. Harmless to repeat. */
  close(): Promise<void>;
}

/** For the AWS SDK in a process that has no credentials of its own; the world accepts any. */
export const devCredentialsEnv: Readonly<Record<string, string>> = {
  AWS_ACCESS_KEY_ID: "dev",
  AWS_SECRET_ACCESS_KEY: "dev",
  AWS_REGION: REGION,
  AWS_EC2_METADATA_DISABLED: "true",
};

const KEY_NAME = "lazyssh-dev";

/**
 * Starts a world in a folder, or goes on with the one that was there: same keys, same volumes, same API port.
 *
 * @throws Error when another process runs a world there, its record cannot be read, or the boot program cannot be run.
 */
export async function createWorld(options: WorldOptions): Promise<World> {
  if (options.dir === "") throw new Error("the folder has no name");
  const dir = resolve(options.dir);
  if (options.boot !== undefined) checkProgram(options.boot);
  // A folder that is there already stays as open as it is: what is secret in it has modes of its own.
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const unlock = lockFolder(dir);
  try {
    return await startWorld(dir, options, unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

function checkProgram(boot: string): void {
  try {
    accessSync(boot, constants.X_OK);
  } catch (cause) {
    const why = "it has to be there, and executable";
    throw new Error(`the boot program ${boot} cannot be run: ${why}`, { cause });
  }
}

async function startWorld(dir: string, options: WorldOptions, unlock: () => void): Promise<World> {
  const clock = options.clock ?? systemClock;
  const zone = options.zone ?? DEFAULT_ZONE;
  const guestPort = options.guestPort ?? 2222;
  const problem = options.onProblem ?? (() => undefined);
  const record = readRecord(dir);
  const keys = prepareKeys(dir);
  const closing = new AbortController();

  const cloud = new Cloud({
    clock,
    zone,
    addresses: await planAddresses(),
    ...(options.delays && { delays: options.delays }),
  });
  const folders = new Folders(dir);
  const journal = new Journal();
  cloud.onEvent((event) => journal.add(event));
  const hypervisor = new Hypervisor({
    cloud,
    folders,
    program: options.guestProgram ?? GUEST_PROGRAM,
    port: guestPort,
    boot: options.boot === undefined ? undefined : resolve(options.boot),
    onListening: (instance) => journal.add({ at: clock.now(), type: "guest.listening", instance }),
    onPortClosed: (instance) => journal.add({ at: clock.now(), type: "guest.port_closed", instance }),
  });

  if (record !== undefined) {
    for (const gone of restore(cloud, record.cloud)) folders.removeVolume(gone);
    for (const id of cloud.volumes.keys()) folders.createVolume(id);
  }
  const volumeId =
    record?.volumeId ?? createVolume(cloud, { zone, size: 125, type: "sc1", tags: { Name: "archive" } }).id;
  cloud.rememberAlways(volumeId);
  importKeyPair(cloud, KEY_NAME, keys.user.public);

  const faults = new Faults(options.random);
  const mischief = createMischief(cloud, hypervisor);
  let store: Store | undefined;
  let listener: Listener | undefined;
  const outage = async (ms: number): Promise<void> => {
    await listener?.down();
    await clock.sleep(ms, closing.signal).catch(() => undefined);
    if (!closing.signal.aborted) await listener?.up();
  };
  const gateway = createGateway({
    cloud,
    faults,
    journal,
    hypervisor,
    mischief,
    clock,
    problem,
    outage,
    signal: closing.signal,
    save: async () => store?.save(),
  });
  listener = await createListener(record?.port ?? 0, gateway);
  store = new Store(dir, cloud, { port: listener.port, volumeId });
  await store.save();
  const ticking = runCloud(cloud, clock, closing.signal);

  const endpoint = `http://127.0.0.1:${listener.port}`;
  const configFile = join(dir, "config.hcl");
  const text = configText({
    keys,
    endpoint,
    volumeId,
    zone,
    guestPort,
    listen: options.listen ?? "localhost:7922",
    linger: options.linger ?? "2s",
    stateDir: join(dir, "state"),
  });
  const written = await writeConfig(dir, configFile, text);
  if (!written && record?.port !== listener.port) {
    problem(`${configFile} was edited and is kept, but the EC2 API has moved: set endpoint = "${endpoint}"`);
  }

  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    closing.abort(new Error("the dev world is closing"));
    await listener?.down();
    await ticking;
    await hypervisor.close();
    await store?.save();
    await folders.settled();
    unlock();
  };

  return {
    dir,
    endpoint,
    region: REGION,
    volumeId,
    volumeFolder: folders.volume(volumeId),
    guestPort,
    keys,
    configFile,
    faults,
    cloud,
    state: () => viewState(cloud, hypervisor, journal),
    setDelays: (delays) => {
      cloud.delays = { ...cloud.delays, ...delays };
    },
    ...mischief,
    outage,
    writeClientFiles: (clientOptions) =>
      writeClientFiles({ ...clientOptions, dir, keys, guestPort, endpoint, configFile, volumeId }),
    close: () => {
      closed ??= close();
      return closed;
    },
  };
}
