import { lstatSync, mkdirSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { rm } from "node:fs/promises";
import { basename, join } from "node:path";

/**
 * The disks of the world: a home folder for each instance, gone with it, and a folder for each volume, which stays.
 * An attached volume is a symbolic link in the home, `volumes/<device>`; the first one is `volume` as well.
 */
export class Folders {
  readonly #instances: string;
  readonly #volumes: string;
  readonly #removals = new Set<Promise<void>>();

  constructor(dir: string) {
    this.#instances = join(dir, "instances");
    this.#volumes = join(dir, "volumes");
    // Homes of an earlier run belong to machines that are gone.
    rmSync(this.#instances, { recursive: true, force: true });
    for (const folder of [this.#instances, this.#volumes])
      mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  home(instanceId: string): string {
    return join(this.#instances, instanceId);
  }

  volume(volumeId: string): string {
    return join(this.#volumes, volumeId);
  }

  createHome(instanceId: string): void {
    mkdirSync(join(this.home(instanceId), "volumes"), { recursive: true, mode: 0o700 });
  }

  createVolume(volumeId: string): void {
    mkdirSync(this.volume(volumeId), { recursive: true, mode: 0o700 });
  }

  attach(volumeId: string, instanceId: string, device: string): void {
    const target = this.volume(volumeId);
    symlinkSync(target, this.#link(instanceId, device));
    const first = join(this.home(instanceId), "volume");
    if (linkTarget(first) === undefined) symlinkSync(target, first);
  }

  detach(volumeId: string, instanceId: string, device: string): void {
    for (const link of [this.#link(instanceId, device), join(this.home(instanceId), "volume")]) {
      if (linkTarget(link) === this.volume(volumeId)) rmSync(link);
    }
  }

  /** Removes the home; links in it are not followed. */
  removeHome(instanceId: string): void {
    this.#remove(this.home(instanceId));
  }

  removeVolume(volumeId: string): void {
    this.#remove(this.volume(volumeId));
  }

  /** Resolves when everything asked to go has gone. */
  async settled(): Promise<void> {
    await Promise.all(this.#removals);
  }

  #link(instanceId: string, device: string): string {
    return join(this.home(instanceId), "volumes", basename(device));
  }

  #remove(path: string): void {
    // A process that is just being killed may still drop a file in; hence the retries.
    const removal = rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
      .catch(() => undefined)
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : "";
  } catch {
    return undefined;
  }
}
