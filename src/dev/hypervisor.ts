import type { Cloud, TimedEvent } from "./cloud/cloud.ts";
import { instanceDied } from "./cloud/life.ts";
import { currentState, type Instance } from "./cloud/state.ts";
import type { Folders } from "./folders.ts";
import { Guest } from "./guest/guest.ts";
import { hostKeyFrom } from "./host-key.ts";

export interface HypervisorOptions {
  readonly cloud: Cloud;
  readonly folders: Folders;
  readonly program: URL;
  /** Port of every guest's SSH server, each on an address of its own. */
  readonly port: number;
  /** Path of what every guest runs when it boots. */
  readonly boot: string | undefined;
  readonly onListening: (instanceId: string) => void;
  readonly onPortClosed: (instanceId: string) => void;
}

/** Share of the shutdown time that processes get before SIGKILL; the rest is for the guest to end itself. */
const GRACE_SHARE = 0.6;

/** Makes true what the cloud says: processes for running instances, links for attached volumes. */
export class Hypervisor {
  readonly #options: HypervisorOptions;
  readonly #guests = new Map<string, Guest>();
  /** All that have not ended, also those that no instance counts on any more. */
  readonly #living = new Set<Guest>();
  readonly #unsubscribe: () => void;

  constructor(options: HypervisorOptions) {
    this.#options = options;
    this.#unsubscribe = options.cloud.onEvent((event) => this.#follow(event));
  }

  /** Process id of the guest behind an instance. */
  pid(instanceId: string): number | undefined {
    return this.guest(instanceId)?.pid;
  }

  consoleOutput(instanceId: string): string {
    return this.#guests.get(instanceId)?.console ?? "";
  }

  /** Ends every guest at once. */
  async close(): Promise<void> {
    this.#unsubscribe();
    const ended = [...this.#living].map((guest) => guest.ended());
    for (const guest of this.#living) guest.kill();
    await Promise.all(ended);
  }

  #follow(event: TimedEvent): void {
    const { cloud, folders } = this.#options;
    switch (event.type) {
      case "volume.created":
        folders.createVolume(event.volume);
        break;
      case "volume.deleted":
        folders.removeVolume(event.volume);
        break;
      case "volume.attachment": {
        const isRoot = cloud.instances.get(event.instance)?.rootDevice === event.device;
        if (event.state === "attached" && !isRoot) folders.attach(event.volume, event.instance, event.device);
        if (event.state === "detaching" || event.state === "detached") {
          folders.detach(event.volume, event.instance, event.device);
        }
        break;
      }
      case "instance.boot":
        this.#guests.get(event.instance)?.open();
        break;
      case "instance.reboot":
        this.#powerOff(event.instance, cloud.delays.bootMs);
        this.#powerOn(event.instance);
        break;
      case "instance.state":
        this.#followState(event.instance);
        break;
      // Nothing of it is to be seen on the machine.
      case "instance.launched":
      case "spot.status":
      case "tags":
        break;
    }
  }

  #followState(id: string): void {
    const { cloud, folders } = this.#options;
    const instance = cloud.instances.get(id);
    if (instance === undefined) return;
    const { state } = currentState(instance);
    switch (state) {
      case "pending":
        folders.createHome(id);
        this.#powerOn(id);
        break;
      case "stopping":
      case "shutting-down":
        this.#guests.get(id)?.shutdown(cloud.delays.shutdownMs * GRACE_SHARE);
        break;
      case "stopped":
        this.#guests.get(id)?.kill();
        break;
      case "terminated":
        this.#guests.get(id)?.kill();
        folders.removeHome(id);
        break;
      case "running":
        break;
    }
  }

  #powerOn(id: string): void {
    const { cloud, folders, program, port, boot } = this.#options;
    const instance = cloud.instances.get(id);
    if (instance === undefined) return;
    const guest = new Guest({
      program,
      config: {
        instanceId: id,
        address: instance.address,
        port,
        home: folders.home(id),
        hostKey: hostKeyFrom(instance.userData),
        authorizedKeys: this.#keysOf(instance),
        boot,
        fate: instance.fate.kind,
      },
      onListening: () => this.#options.onListening(id),
      onPortClosed: () => this.#options.onPortClosed(id),
      onExit: () => {
        this.#living.delete(guest);
        // One that was replaced by a reboot says nothing about its instance.
        if (this.#guests.get(id) === guest) instanceDied(cloud, id);
      },
    });
    this.#living.add(guest);
    this.#guests.set(id, guest);
  }

  #powerOff(id: string, withinMs: number): void {
    const guest = this.#guests.get(id);
    this.#guests.delete(id);
    // One that hangs does not go down when asked; EC2 then cuts its power.
    if (guest?.frozen) guest.kill();
    else guest?.shutdown(withinMs * GRACE_SHARE);
  }

  #keysOf(instance: Instance): string[] {
    const pair =
      instance.keyName === undefined ? undefined : this.#options.cloud.keyPairs.get(instance.keyName);
    return pair === undefined ? [] : [pair.publicKey];
  }

  /** The guest behind an instance, for those who mean it harm; undefined when it does not run. */
  guest(id: string): Guest | undefined {
    const guest = this.#guests.get(id);
    return guest?.alive ? guest : undefined;
  }
}
