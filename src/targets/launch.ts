import { type Deadline, deadline } from "../util/deadline.ts";
import { formatDuration } from "../util/duration.ts";
import { asLazysshError, LazysshError, messageOf } from "../util/errors.ts";
import type { MachineContext } from "./context.ts";
import type { LaunchRecord } from "./journal.ts";
import type { Effect, UntimedEvent } from "./state.ts";
import {
  answering,
  assertAlive,
  attached,
  booted,
  death,
  order,
  type StepContext,
  volumesFree,
} from "./steps.ts";
import { stopMachine } from "./stop.ts";

/** The effects that belong to one launch. */
export type LaunchEffect = Extract<Effect, { launch: number }>;

type Report = (event: UntimedEvent) => void;

/**
 * One launch of a machine, from the intent to the proof that it is gone: carries out the effects that name it and
 * reports how they ended. Exactly one of its steps runs at a time; what it holds is of no use to the next launch.
 */
export class Launch {
  readonly token: string;
  /** The cloud's id, once known. */
  machine: string | undefined;
  readonly #context: MachineContext;
  readonly #number: number;
  readonly #report: Report;
  readonly #startedAt: number;
  #host: string | undefined;
  #readyAt: number | undefined;
  /** What it is waiting for, for people. */
  waitingFor: string | undefined;
  /** Ends the running step or timer; a new one after each use. */
  #steps = new AbortController();
  #deadline: Deadline | undefined;

  constructor(
    context: MachineContext,
    number: number,
    token: string,
    machine: string | undefined,
    report: Report,
  ) {
    this.#context = context;
    this.#number = number;
    this.token = token;
    this.machine = machine;
    this.#report = report;
    this.#startedAt = context.clock.now();
  }

  perform(effect: LaunchEffect): void {
    switch (effect.type) {
      case "abort":
        this.#steps.abort(
          new LazysshError("BOOT_CANCELLED", `${this.#name}: nobody waits for the machine any more`),
        );
        this.#steps = new AbortController();
        this.#disarm();
        return;
      case "prepare":
        this.#arm("its volumes did not become free");
        this.#step(async (context) => {
          await volumesFree(context);
          return { type: "prepared", launch: this.#number };
        });
        return;
      case "create":
        this.#arm("it was not ready");
        this.#step((context) => this.#create(context));
        return;
      case "boot":
        if (!this.#deadline) this.#arm("it was not ready"); // adopted: there was no order
        this.#step(async (context) => {
          this.#host = await booted(context, effect.machine);
          return { type: "booted", launch: this.#number };
        });
        return;
      case "attach":
        this.#step(async (context) => {
          await attached(context, effect.machine);
          return { type: "attached", launch: this.#number };
        });
        return;
      case "probe":
        this.#step(async (context) => {
          const host = this.#host ?? (await booted(context, effect.machine));
          await answering(context, effect.machine, host);
          this.#disarm();
          return { type: "answering", launch: this.#number, host };
        });
        return;
      case "watch":
        this.#readyAt ??= this.#context.clock.now();
        this.#background(async (context) => {
          const error = await Promise.race([death(context, effect.machine), this.#lifetime(context)]);
          return { type: "died", launch: this.#number, error };
        });
        return;
      case "linger":
        this.#background(async ({ clock, signal }) => {
          await clock.sleep(effect.ms, signal);
          return { type: "lingered", launch: this.#number };
        });
        return;
      case "destroy":
        void this.#destroy(effect.machine);
        return;
    }
  }

  /** Why the machine does not run any more, asked now; undefined when it runs, or the cloud does not say. */
  async deathOf(machine: string, signal: AbortSignal): Promise<LazysshError | undefined> {
    try {
      assertAlive(this.#context.target, await this.#context.provider.describe(machine, signal));
    } catch (error) {
      if (error instanceof LazysshError && error.code === "MACHINE_DIED") return error;
    }
    return undefined;
  }

  /** Resolves, with what to tell those who use it, when the machine has served as long as it may. */
  async #lifetime({ clock, signal }: StepContext): Promise<LazysshError> {
    const { maxLifetimeMs } = this.#context.target;
    if (maxLifetimeMs === undefined) return new Promise(() => undefined);
    await clock.sleep((this.#readyAt ?? 0) + maxLifetimeMs - clock.now(), signal);
    return new LazysshError(
      "LIFETIME_OVER",
      `${this.#name}: machine ${this.machine} has served for its max_lifetime of ${formatDuration(maxLifetimeMs)} and is stopped`,
    );
  }

  async #create(context: StepContext): Promise<UntimedEvent> {
    await this.#context.journal.write(this.#record());
    this.#waiting("the cloud's answer to the order of a machine");
    const overdue = this.#deadline?.signal;
    const tell = () =>
      this.#report({ type: "overdue", launch: this.#number, error: asLazysshError(overdue?.reason) });
    overdue?.addEventListener("abort", tell, { once: true });
    const ordered = await order(context, this.token);
    overdue?.removeEventListener("abort", tell);
    if ("error" in ordered) {
      const { error, exists } = ordered;
      if (exists === "no") await this.#forget();
      return { type: "failed", launch: this.#number, error, exists };
    }
    this.machine = ordered.machine.id;
    // The token alone finds the machine again, so a full disk is no reason to give it up now.
    await this.#context.journal.write(this.#record()).catch((error: unknown) => this.#warn(messageOf(error)));
    return { type: "created", launch: this.#number, machine: this.machine };
  }

  async #destroy(machine: string | undefined): Promise<void> {
    const { provider, clock, signal } = this.#context;
    const context = {
      provider,
      clock,
      signal,
      waiting: this.#waiting,
      warning: (what: string) => this.#warn(what),
      failing: ({
        error,
        attempt,
        machine,
      }: {
        error: LazysshError;
        attempt: number;
        machine: string | undefined;
      }) =>
        this.#context.events.emit({
          type: "machine.leak_suspected",
          target: this.#name,
          machine,
          attempt,
          reason: error.message,
          remedy: provider.remedy(machine, this.token),
        }),
    };
    try {
      await stopMachine(context, machine, this.token);
    } catch {
      return; // the program gives up waiting; the journal remembers
    }
    await this.#forget();
    this.#report({ type: "stopped", launch: this.#number });
  }

  /** Runs a step of the start; whatever goes wrong in it fails the start. */
  #step(run: (context: StepContext) => Promise<UntimedEvent>): void {
    const signal = this.#deadline
      ? AbortSignal.any([this.#steps.signal, this.#deadline.signal])
      : this.#steps.signal;
    void run(this.#stepContext(signal)).then(this.#report, (cause: unknown) => {
      this.#report({ type: "failed", launch: this.#number, error: asLazysshError(cause), exists: "no" });
    });
  }

  /** Runs beside a machine in use; being aborted is its ordinary end. */
  #background(run: (context: StepContext) => Promise<UntimedEvent>): void {
    void run(this.#stepContext(this.#steps.signal)).then(this.#report, () => undefined);
  }

  #stepContext(signal: AbortSignal): StepContext {
    const { target, provider, clock, probe, events } = this.#context;
    return {
      target,
      provider,
      clock,
      probe,
      signal,
      waiting: this.#waiting,
      retrying: (step, { error, attempt, waitMs }) =>
        events.emit({
          type: "machine.retry",
          target: this.#name,
          machine: this.machine,
          step,
          attempt,
          code: error.code,
          reason: error.message,
          waitMs,
        }),
    };
  }

  readonly #waiting = (waitingFor: string): void => {
    if (waitingFor === this.waitingFor) return;
    this.waitingFor = waitingFor;
    this.#context.events.emit({
      type: "machine.waiting",
      target: this.#name,
      machine: this.machine,
      waitingFor,
    });
  };

  #arm(what: string): void {
    this.#disarm();
    const { clock, target } = this.#context;
    this.#deadline = deadline(clock, target.bootTimeoutMs, () => {
      const machine = this.machine === undefined ? "" : ` machine ${this.machine}:`;
      const last = this.waitingFor === undefined ? "" : ` (waiting for: ${this.waitingFor})`;
      const within = formatDuration(target.bootTimeoutMs);
      return new LazysshError("BOOT_TIMEOUT", `${this.#name}:${machine} ${what} within ${within}${last}`);
    });
  }

  #disarm(): void {
    this.#deadline?.[Symbol.dispose]();
    this.#deadline = undefined;
  }

  #record(): LaunchRecord {
    return {
      token: this.token,
      target: this.#name,
      machine: this.machine,
      startedAt: new Date(this.#startedAt).toISOString(),
    };
  }

  async #forget(): Promise<void> {
    // A record that stays is looked up again at the next start, and found to be of a machine long gone.
    await this.#context.journal.forget(this.token).catch((error: unknown) => this.#warn(messageOf(error)));
  }

  #warn(reason: string): void {
    this.#context.events.emit({ type: "server.warning", reason: `${this.#name}: ${reason}` });
  }

  get #name(): string {
    return this.#context.target.name;
  }
}
