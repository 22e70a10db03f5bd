import type { Clock } from "../../util/clock.ts";
import { Past } from "./past.ts";
import { DEFAULT_ZONE } from "./region.ts";
import type { SpotRequest } from "./spot-state.ts";
import {
  type CloudEvent,
  DEFAULT_DELAYS,
  type Delays,
  type Instance,
  type KeyPair,
  type Tags,
  type TokenUse,
  type Volume,
} from "./state.ts";

/** How loopback addresses are handed to instances. */
export interface AddressPlan {
  /** Every instance gets one of its own, or all share one address (then only one instance at a time). */
  readonly kind: "pool" | "single";
}

export interface CloudOptions {
  readonly clock: Clock;
  readonly delays?: Partial<Delays>;
  /** Where instances go that name neither zone nor subnet. Default `us-west-2d`. */
  readonly zone?: string;
  /** Default `pool`. */
  readonly addresses?: AddressPlan;
  /** Numbers in [0, 1) for ids and addresses. Default `Math.random`; a seeded one makes runs repeatable. */
  readonly random?: () => number;
}

interface Due {
  readonly at: number;
  readonly run: () => void;
}

/** A cloud event and when it happened, milliseconds since the Unix epoch. */
export type TimedEvent = CloudEvent & { readonly at: number };

/**
 * The state of the emulated cloud, and its time. It starts no timers and does no input or output: whatever is due
 * happens in {@link settle}, in order, stamped with the moment it was due. So the same model runs in real time
 * behind HTTP and at any speed under a simulated clock.
 */
export class Cloud {
  readonly zone: string;
  readonly addresses: AddressPlan;
  readonly instances = new Map<string, Instance>();
  readonly volumes = new Map<string, Volume>();
  /** By name. */
  readonly keyPairs = new Map<string, KeyPair>();
  readonly spotRequests = new Map<string, SpotRequest>();
  readonly tokens = new Map<string, TokenUse>();
  delays: Delays;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #listeners = new Set<(event: TimedEvent) => void>();
  readonly #scheduled = new Set<() => void>();
  readonly #volumePast = new Past<Volume>();
  readonly #tagPast = new Past<Tags>();
  #queue: Due[] = [];
  #settlingAt: number | undefined;
  #revision = 0;

  constructor(options: CloudOptions) {
    this.#clock = options.clock;
    this.#random = options.random ?? Math.random;
    this.zone = options.zone ?? DEFAULT_ZONE;
    this.addresses = options.addresses ?? { kind: "pool" };
    this.delays = { ...DEFAULT_DELAYS, ...options.delays };
  }

  /** The moment being lived through: inside {@link settle}, when the thing was due. */
  now(): number {
    return this.#settlingAt ?? this.#clock.now();
  }

  /** Counts changes, so that a saver knows whether it is behind. */
  get revision(): number {
    return this.#revision;
  }

  touch(): void {
    this.#revision += 1;
  }

  schedule(afterMs: number, run: () => void): void {
    const due = { at: this.now() + afterMs, run };
    const index = this.#queue.findIndex((other) => other.at > due.at);
    this.#queue.splice(index < 0 ? this.#queue.length : index, 0, due);
    for (const listener of this.#scheduled) listener();
  }

  /** Makes everything happen that is due by now. Called before each API call, and by whoever drives time. */
  settle(): void {
    if (this.#settlingAt !== undefined) return;
    try {
      for (let due = this.#queue[0]; due !== undefined && due.at <= this.#clock.now(); due = this.#queue[0]) {
        this.#queue.shift();
        this.#settlingAt = due.at;
        due.run();
      }
    } finally {
      this.#settlingAt = undefined;
    }
  }

  /** When something happens next of itself. */
  nextDue(): number | undefined {
    return this.#queue[0]?.at;
  }

  /** Called whenever something new is scheduled. Returns the function that ends it. */
  onScheduled(listener: () => void): () => void {
    this.#scheduled.add(listener);
    return () => this.#scheduled.delete(listener);
  }

  /** Called at once, inside the change. Returns the function that ends it. */
  onEvent(listener: (event: TimedEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(event: CloudEvent): void {
    this.touch();
    if ("volume" in event) this.remember(event.volume);
    if (event.type === "instance.launched") this.#tagPast.set(event.instance, this.now(), { ...event.tags });
    if (event.type === "tags") this.#retagged(event.resource, event.tags);
    const timed = { at: this.now(), ...event };
    for (const listener of this.#listeners) listener(timed);
  }

  /** A fresh resource id, as `i-0123456789abcdef0`. */
  newId(prefix: string): string {
    return `${prefix}-0${this.#digits(16)}`;
  }

  /** As `sir-0abcdef1`: spot requests have kept their short ids. */
  newSpotRequestId(): string {
    return `sir-${this.#digits(8)}`;
  }

  #digits(count: number): string {
    return Array.from({ length: count }, () => Math.floor(this.#random() * 16).toString(16)).join("");
  }

  /** A loopback address no living instance has. */
  newAddress(): string {
    if (this.addresses.kind === "single") return "127.0.0.1";
    const below = (limit: number): number => Math.floor(this.#random() * limit);
    const taken = new Set([...this.instances.values()].map((instance) => instance.address));
    for (;;) {
      const address = `127.${64 + below(64)}.${below(256)}.${1 + below(254)}`;
      if (!taken.has(address)) return address;
    }
  }

  /** Keeps in mind how a volume is now, for those who look later at what is now. */
  remember(volumeId: string): void {
    const volume = this.volumes.get(volumeId);
    this.#volumePast.set(volumeId, this.now(), volume && snapshot(volume));
  }

  /** A volume that was there before this cloud began: no Describe is so far behind that it does not show it. */
  rememberAlways(volumeId: string): void {
    const volume = this.volumes.get(volumeId);
    if (volume !== undefined) this.#volumePast.always(volumeId, snapshot(volume));
  }

  /** A volume as it was `lagMs` ago. */
  volumeAt(id: string, lagMs: number): Volume | undefined {
    return lagMs === 0 ? this.volumes.get(id) : this.#volumePast.at(id, this.now() - lagMs);
  }

  volumesAt(lagMs: number): Volume[] {
    return lagMs === 0 ? [...this.volumes.values()] : this.#volumePast.allAt(this.now() - lagMs);
  }

  /** The tags that an instance had `lagMs` ago. */
  tagsAt({ id, tags }: Instance, lagMs: number): Tags {
    return (lagMs === 0 ? undefined : this.#tagPast.at(id, this.now() - lagMs)) ?? tags;
  }

  /** The volumes an instance holds, or held `lagMs` ago, in the order of attachment. */
  attachedTo(instanceId: string, lagMs = 0): Volume[] {
    return this.volumesAt(lagMs)
      .filter((volume) => volume.attachment?.instanceId === instanceId)
      .sort((a, b) => (a.attachment?.attachTime ?? 0) - (b.attachment?.attachTime ?? 0));
  }

  #retagged(resource: string, tags: Tags): void {
    if (this.volumes.has(resource)) this.remember(resource);
    else this.#tagPast.set(resource, this.now(), { ...tags });
  }
}

function snapshot(volume: Volume): Volume {
  return {
    ...volume,
    tags: { ...volume.tags },
    attachment: volume.attachment && { ...volume.attachment },
  };
}
