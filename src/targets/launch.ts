import { type Deadline, deadline } from "../util/deadline.ts";
import { formatDuration } from "../util/duration.ts";
import { asLazysshError, LazysshError, messageOf } from "../util/errors.ts";
import { persist } from "../util/retry.ts";
import { isTogether, type MachineContext } from "./context.ts";
import { endLaunch } from "./end.ts";
import { existing } from "./existing.ts";
import type { LaunchRecord } from "./journal.ts";
import { LEASE_MS, NOTE, noteTime } from "./notes.ts";
import { type Ordered, order } from "./order.ts";
import { renew } from "./renew.ts";
import { lookAfter } from "./serve.ts";
import type { Effect, UntimedEvent } from "./state.ts";
import { assertAlive, type StepContext } from "./step-context.ts";
import { answering, attached, booted, volumesFree } from "./steps.ts";
import type { Stopped } from "./stop.ts";
import { nextGeneration, takeShare, theOne, tokenOf } from "./together.ts";

/** The effects that belong to one launch. */
export type LaunchEffect = Extract<Effect, { launch: number }>;

/** What a launch is told by those who know more of its machine's users. */
export interface LaunchOptions {
  readonly context: MachineContext;
  readonly number: number;
  readonly token: string;
  readonly machine: string | undefined;
  /** It was found, not ordered: by an earlier run, or another server. */
  readonly found: boolean;
  readonly report: (event: UntimedEvent) => void;
  readonly traffic: () => number;
  readonly keptByConnections: () => boolean;
  readonly clients: () => readonly string[];
}

/**
 * One launch of a machine, from the intent to the proof that it is gone: carries out the effects that name it and
 * reports how they ended. Exactly one of its steps runs at a time; what it holds is of no use to the next launch.
 */
export class Launch {
  token: string;
  /** The cloud's id, once known. */
  machine: string | undefined;
  readonly startedAt: number;
  readonly #options: LaunchOptions;
  readonly #context: MachineContext;
  readonly #number: number;
  readonly #report: (event: UntimedEvent) => void;
  #host: string | undefined;
  #greets = false;
  #readyAt: number | undefined;
  /** There before this launch: its start is a look at what it does, and its share is to be taken. */
  #found: boolean;
  /** Volumes may be attached, so that it is shut down in order. */
  #mayHoldVolumes: boolean;
  /** It was seen to have died, and that was told. */
  #diedInUse = false;
  /** What it is waiting for, for people. */
  waitingFor: string | undefined;
  /** Ends the running step or timer; a new one after each use. */
  #steps = new AbortController();
  #deadline: Deadline | undefined;
  readonly #renewing = new AbortController();

  constructor(options: LaunchOptions) {
    const { context, number, token, machine, found, report } = options;
    this.#options = options;
    this.#context = context;
    this.#number = number;
    this.token = token;
    this.machine = machine;
    this.#found = found;
    this.#mayHoldVolumes = found;
    this.#report = report;
    this.startedAt = context.clock.now();
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
        this.#step((step) => this.#prepare(step));
        return;
      case "create":
        this.#arm("it was not ready");
        this.#step((step) => this.#create(step));
        return;
      case "boot":
        if (!this.#deadline) this.#arm("it was not ready"); // adopted: there was no order
        this.#step((step) => this.#boot(step, effect.machine));
        return;
      case "attach":
        this.#mayHoldVolumes = true;
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

  /** Nothing exists yet that is this launch's: either a machine that is there is joined, or one is to be ordered. */
  async #prepare(step: StepContext): Promise<UntimedEvent> {
    const machine = await existing(step, this.#context);
    if (!machine) {
      await volumesFree(step);
      return { type: "prepared", launch: this.#number };
    }
    this.token = machine.token ?? machine.id;
    this.machine = machine.id;
    this.#found = true;
    this.#mayHoldVolumes = true;
    this.#context.events.emit({ type: "machine.joined", target: this.#name, machine: machine.id });
    return { type: "joined", launch: this.#number, machine: machine.id };
  }

  async #create(step: StepContext): Promise<UntimedEvent> {
    const { journal, group, memory, clock, target, meter } = this.#context;
    const together = isTogether(this.#context);
    const notes: Record<string, string> = {
      [NOTE.expires]: noteTime(clock.now() + target.bootTimeoutMs + LEASE_MS),
    };
    const generation = nextGeneration(memory.generation, clock.now());
    if (together && group !== undefined) {
      this.token = tokenOf(group, target.name, generation);
      notes[NOTE.generation] = String(generation);
    }
    await journal.write(this.#record());
    this.#waiting("the cloud's answer to the order of a machine");
    const overdue = this.#deadline?.signal;
    const tell = () =>
      this.#report({ type: "overdue", launch: this.#number, error: asLazysshError(overdue?.reason) });
    overdue?.addEventListener("abort", tell, { once: true });
    const ordered = await order(step, { token: this.token, notes });
    overdue?.removeEventListener("abort", tell);
    // A number that made no machine is used again: it is what keeps two servers from making two.
    if (!("error" in ordered) || isSpent(ordered)) memory.generation = generation;
    if (together && isSpent(ordered)) {
      // Another server's start, over already. The next look, and the next number, will do.
      await this.#forget();
      await clock.sleep(SPENT_MS, this.#context.signal);
      return { type: "missed", launch: this.#number };
    }
    if ("error" in ordered) {
      const { error, exists } = ordered;
      if (exists === "no") await this.#forget();
      return { type: "failed", launch: this.#number, error, exists };
    }
    this.machine = ordered.machine.id;
    meter.begin(target.name, this.token, clock.now());
    // The token alone finds the machine again, so a full disk is no reason to give it up now.
    await journal.write(this.#record()).catch((error: unknown) => this.#warn(messageOf(error)));
    return { type: "created", launch: this.#number, machine: this.machine };
  }

  async #boot(step: StepContext, machine: string): Promise<UntimedEvent> {
    const { journal, meter, target, clock } = this.#context;
    if (this.#found) {
      await journal.write(this.#record());
      meter.begin(target.name, this.token, clock.now());
    }
    const sharing = isTogether(this.#context) ? this.#share(step, machine) : Promise.resolve(true);
    void renew(this.#context, machine, this.#renewing.signal);
    try {
      const booting = this.#found ? this.#wake(step, machine) : Promise.resolve();
      const up = booting.then(() => booted(step, machine));
      const [mine, host] = await Promise.all([sharing, up]);
      if (!mine) return this.#missed();
      this.#host = host;
    } catch (error) {
      // What was there before may go at any time; that is no reason to refuse those who wait.
      const died = error instanceof LazysshError && error.code === "MACHINE_DIED";
      if (this.#found && died) return this.#missed();
      throw error;
    }
    return { type: "booted", launch: this.#number };
  }

  /** Whether the machine is one that this server may use: nobody is ending it, and it is the one that all use. */
  async #share(step: StepContext, machine: string): Promise<boolean> {
    const { provider, server, target, discard } = this.#context;
    const shared = await persist({
      clock: step.clock,
      signal: step.signal,
      interval: () => 1_000,
      onRetry: (failure) => step.retrying("take a share in the machine", failure),
      attempt: async (signal) => {
        const mine = await takeShare({ ...step, signal }, server, machine);
        const listed = mine ? await provider.list(signal) : [];
        return { mine, runs: listed.filter((one) => one.target === target.name && isUp(one.phase)) };
      },
    });
    if (!shared.mine) return false;
    const one = theOne(shared.runs);
    if (one === undefined || one.id === machine || !shared.runs.some(({ id }) => id === machine)) return true;
    // Two were started at once, against all odds; every server chooses the same of them.
    discard({ token: this.token, machine });
    return false;
  }

  async #missed(): Promise<UntimedEvent> {
    this.#renewing.abort("missed");
    await this.#forget();
    this.#context.meter.end(this.token, this.#context.clock.now());
    return { type: "missed", launch: this.#number };
  }

  /** A machine at rest is started; one that is on its way to rest, when it has got there. */
  async #wake(step: StepContext, machine: string): Promise<void> {
    const { provider, target } = this.#context;
    if (target.stopMode === "terminate") return;
    await persist({
      clock: step.clock,
      signal: step.signal,
      interval: () => 500,
      onRetry: (failure) => step.retrying("start the machine that rests", failure),
      attempt: async (signal) => {
        const { phase } = await provider.describe(machine, signal);
        if (phase === "resting") await provider.start(machine, signal);
        return phase === "stopping" ? undefined : true;
      },
    });
  }

  #watch(machine: string, readyAt: number): void {
    const { traffic, keptByConnections, clients } = this.#options;
    const host = this.#host ?? "";
    const served = {
      launch: this.#number,
      machine,
      host,
      greets: this.#greets,
      readyAt,
      traffic,
      keptByConnections,
      clients,
    };
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
    let stopped: Stopped;
    try {
      if (machine !== undefined) await this.#tellDeath(machine);
      stopped = await endLaunch(this.#context, {
        machine,
        token: this.token,
        failed,
        mayHoldVolumes: this.#mayHoldVolumes,
        waiting: this.#waiting,
        warning: (what) => this.#warn(what),
      });
    } catch {
      return; // the program gives up waiting; the journal remembers
    }
    this.#context.meter.end(this.token, this.#context.clock.now());
    if (stopped === "rests") await this.#rests();
    else await this.#forget();
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
      startedAt: new Date(this.startedAt).toISOString(),
    };
  }

  /** Remembered, so that a later run, whose config may want it no more, looks at what has become of it. */
  async #rests(): Promise<void> {
    const record = { ...this.#record(), rests: true };
    await this.#context.journal.write(record).catch((error: unknown) => this.#warn(messageOf(error)));
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

/** Before another look, so that a cloud that is behind with its lists is not asked without a pause. */
const SPENT_MS = 500;

/** Whether the order named a machine of the past. */
function isSpent(ordered: Ordered): boolean {
  if ("error" in ordered) return ordered.error.code === "MACHINE_DIED";
  return !isUp(ordered.machine.phase);
}

function isUp(phase: string): boolean {
  return phase === "pending" || phase === "running";
}
