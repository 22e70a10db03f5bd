import { messageOf } from "../../util/errors.ts";
import type { MachineContext } from "../context.ts";
import type { LaunchRecord } from "../found/journal.ts";

export interface IdentityOptions {
  readonly number: number;
  readonly token: string;
  readonly machine: string | undefined;
  readonly found: boolean;
}

/** What one launch is known by, here, in the journal and in the cloud. */
export class Identity {
  /** The number of the launch in its model. */
  readonly number: number;
  token: string;
  /** The cloud's id, once known. */
  machine: string | undefined;
  /** There before this launch: its start is a look at what it does, and its share is to be taken. */
  found: boolean;
  /** Volumes may be attached, so that it is shut down in order. */
  mayHoldVolumes: boolean;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly #context: MachineContext;

  constructor(context: MachineContext, { number, token, machine, found }: IdentityOptions) {
    this.number = number;
    this.token = token;
    this.machine = machine;
    this.found = found;
    this.mayHoldVolumes = found;
    this.startedAt = context.clock.now();
    this.#context = context;
  }

  /** @throws LazysshError `INTERNAL` when it cannot be made durable: then nothing may be ordered. */
  async write(): Promise<void> {
    await this.#context.journal.write(this.#record());
  }

  /** It costs nothing any more, and is remembered all the same: a later run may have a config that wants it no more. */
  async rests(): Promise<void> {
    const { meter, journal, clock } = this.#context;
    meter.end(this.token, clock.now());
    const record = { ...this.#record(), rests: true };
    await journal.write(record).catch((error: unknown) => this.warn(messageOf(error)));
  }

  #record(): LaunchRecord {
    const { token, machine, startedAt } = this;
    return {
      token,
      target: this.#context.target.name,
      machine,
      startedAt: new Date(startedAt).toISOString(),
    };
  }

  /** From now on it costs machine time. */
  beginToCost(): void {
    const { meter, family, clock } = this.#context;
    meter.begin(family, this.token, clock.now());
  }

  /** It is over, or another's: it costs nothing here any more, and need not be remembered. */
  async forget(): Promise<void> {
    const { meter, journal, clock } = this.#context;
    meter.end(this.token, clock.now());
    // A record that stays is looked up again at the next start, and found to be of a machine long gone.
    await journal.forget(this.token).catch((error: unknown) => this.warn(messageOf(error)));
  }

  warn(reason: string): void {
    const { events, target } = this.#context;
    events.emit({ type: "server.warning", reason: `${target.name}: ${reason}` });
  }
}
