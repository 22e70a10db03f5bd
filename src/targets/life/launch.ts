import { type Deadline, deadline } from "../../util/deadline.ts";
import { formatDuration } from "../../util/duration.ts";
import { asLazysshError, LazysshError, messageOf } from "../../util/errors.ts";
import type { MachineContext } from "../context.ts";
import { endLaunch } from "../end/end.ts";
import { boot, create, prepare } from "../start/begin.ts";
import { assertAlive, type StepContext } from "../start/step-context.ts";
import { answering, attached, booted } from "../start/steps.ts";
import { knockNow, lookAfter, type Served, wellSoFar } from "../use/serve.ts";
import { Identity, type IdentityOptions } from "./identity.ts";
import type { Effect, UntimedEvent } from "./state.ts";

/** The effects that belong to one launch. */
export type LaunchEffect = Extract<Effect, { launch: number }>;

/** For a knock at the port out of turn, which has an end of its own before. */
const KNOCK_MS = 15_000;

/** What a launch is told by those who know more of its machine's users. */
export interface LaunchOptions extends IdentityOptions {
  readonly context: MachineContext;
  readonly report: (event: UntimedEvent) => void;
  readonly traffic: () => number;
  readonly keptByConnections: () => boolean;
  readonly unanswered: () => boolean;
  readonly clients: () => readonly string[];
  /** Called when what it waits for is another thing. */
  readonly onWaiting: () => void;
}

/**
 * One launch of a machine, from the intent to the proof that it is gone: carries out the effects that name it and
 * reports how they ended. Exactly one of its steps runs at a time; what it holds is of no use to the next launch.
 */
export class Launch {
  readonly #options: LaunchOptions;
  readonly #context: MachineContext;
  readonly #identity: Identity;
  readonly #report: (event: UntimedEvent) => void;
  #host: string | undefined;
  #greets = false;
  #readyAt: number | undefined;
  /** It was seen to have died, and that was told. */
  #diedInUse = false;
  #served: Served | undefined;
  /** What it is waiting for, for people. */
  waitingFor: string | undefined;
  /** Ends the running step or timer; a new one after each use. */
  #steps = new AbortController();
  #deadline: Deadline | undefined;
  readonly #renewing = new AbortController();

  constructor(options: LaunchOptions) {
    const { context, report } = options;
    this.#options = options;
    this.#context = context;
    this.#identity = new Identity(context, options);
    this.#report = report;
  }

  get token(): string {
    return this.#identity.token;
  }

  get machine(): string | undefined {
    return this.#identity.machine;
  }

  get startedAt(): number {
    return this.#identity.startedAt;
  }

  get host(): string | undefined {
    return this.#host;
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
        this.#arm("it could not be started");
        this.#step((step) => prepare(step, this.#context, this.#identity));
        return;
      case "create":
        this.#arm("it was not ready");
        this.#step((step) => this.#create(step));
        return;
      case "boot":
        // Where there was no order, the time for it has not begun.
        if (!this.#deadline || this.#identity.found) this.#arm("it was not ready");
        this.#step((step) => this.#boot(step, effect.machine));
        return;
      case "attach":
        this.#identity.mayHoldVolumes = true;
        this.#step(async (step) => {
          await attached(step, effect.machine);
          return { type: "attached", launch: this.#number };
        });
        return;
      case "probe":
        this.#step(async (step) => {
          const host = this.#host ?? (await booted(step, effect.machine));
          this.#greets = await answering(step, effect.machine, host);
          this.#disarm();
          return { type: "answering", launch: this.#number, host };
        });
        return;
      case "watch":
        this.#readyAt ??= this.#context.clock.now();
        this.#watch(effect.machine, this.#readyAt);
        return;
      case "linger":
        this.#background(async ({ clock, signal }) => {
          await clock.sleep(effect.ms, signal);
          return { type: "lingered", launch: this.#number };
        });
        return;
      case "destroy":
        this.#renewing.abort("ending");
        void this.#end(effect.machine, effect.failed);
        return;
    }
  }

  /** Why the machine does not run any more, asked now; undefined when it runs, or the cloud does not say. */
  async deathOf(machine: string, signal: AbortSignal): Promise<LazysshError | undefined> {
    try {
      assertAlive(this.#context.target, await this.#context.provider.describe(machine, signal));
    } catch (error) {
      if (!(error instanceof LazysshError) || error.code !== "MACHINE_DIED") return undefined;
      this.#diedInUse = true;
      return error;
    }
    return undefined;
  }

  /** Whether it answers on its port, asked now; if not, that is reported. */
  async answers(signal: AbortSignal): Promise<boolean> {
    if (!this.#served) return true;
    using limit = deadline(this.#context.clock, KNOCK_MS, () => "no answer", signal, this.#steps.signal);
    const step = this.#stepContext(limit.signal);
    return await knockNow(step, this.#context, this.#served, this.#report).catch(() => true);
  }

  async #create(step: StepContext): Promise<UntimedEvent> {
    const overdue = this.#deadline?.signal;
    const tell = () =>
      this.#report({ type: "overdue", launch: this.#number, error: asLazysshError(overdue?.reason) });
    overdue?.addEventListener("abort", tell, { once: true });
    try {
      return await create(step, this.#context, this.#identity);
    } finally {
      overdue?.removeEventListener("abort", tell);
    }
  }

  async #boot(step: StepContext, machine: string): Promise<UntimedEvent> {
    this.#host = await boot(step, this.#context, this.#identity, machine, this.#renewing.signal);
    if (this.#host !== undefined) return { type: "booted", launch: this.#number };
    this.#renewing.abort("missed");
    await this.#identity.forget();
    return { type: "missed", launch: this.#number };
  }

  #watch(machine: string, readyAt: number): void {
    const { traffic, keptByConnections, unanswered, clients } = this.#options;
    const host = this.#host ?? "";
    const served: Served = {
      launch: this.#number,
      machine,
      host,
      greets: this.#greets,
      readyAt,
      traffic,
      keptByConnections,
      unanswered,
      clients,
      health: { ...wellSoFar },
    };
    this.#served = served;
    this.#background(async (step) => {
      const over = await lookAfter(step, this.#context, served, this.#report);
      this.#diedInUse ||= "error" in over && over.error.code === "MACHINE_DIED";
      return over;
    });
  }

  /**
   * A machine that goes down ends its connections as if they were over, often before the next look at it. Then it is not needed any more, and
   * all that would be told of it is that it is ended.
   */
  async #tellDeath(machine: string): Promise<void> {
    if (this.#readyAt === undefined || this.#diedInUse) return;
    const error = await this.deathOf(machine, this.#context.signal);
    if (!error) return;
    const { code, message: reason } = error;
    this.#context.events.emit({ type: "machine.failed", target: this.#name, machine, code, reason });
  }

  async #end(machine: string | undefined, failed: boolean): Promise<void> {
    const ending = {
      machine,
      token: this.token,
      failed,
      mayHoldVolumes: this.#identity.mayHoldVolumes,
      waiting: this.#waiting,
      warning: (what: string) => this.#identity.warn(what),
    };
    if (machine !== undefined) await this.#tellDeath(machine);
    const stopped = await endLaunch(this.#context, ending);
    if (stopped === undefined) return; // the journal remembers
    if (stopped === "rests") await this.#identity.rests();
    else await this.#identity.forget();
    this.#report({ type: "stopped", launch: this.#number });
  }

  /** Runs a step of the start; whatever goes wrong in it fails the start. */
  #step(run: (step: StepContext) => Promise<UntimedEvent>): void {
    const signal = this.#deadline
      ? AbortSignal.any([this.#steps.signal, this.#deadline.signal])
      : this.#steps.signal;
    void run(this.#stepContext(signal)).then(this.#report, (cause: unknown) => {
      this.#report({ type: "failed", launch: this.#number, error: asLazysshError(cause), exists: "no" });
    });
  }

  /** Runs beside a machine in use; being aborted is its ordinary end. */
  #background(run: (step: StepContext) => Promise<UntimedEvent>): void {
    const { signal } = this.#steps;
    void run(this.#stepContext(signal)).then(this.#report, (error: unknown) => {
      if (!signal.aborted)
        this.#identity.warn(`the machine is not looked after any more: ${messageOf(error)}`);
    });
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
    this.#options.onWaiting();
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

  get #number(): number {
    return this.#identity.number;
  }

  get #name(): string {
    return this.#context.target.name;
  }
}
