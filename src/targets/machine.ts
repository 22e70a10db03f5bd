import { randomUUID } from "node:crypto";
import { formatDuration } from "../util/duration.ts";
import { LazysshError } from "../util/errors.ts";
import type { MachineContext } from "./context.ts";
import { Launch } from "./launch.ts";
import type { Lease } from "./lease.ts";
import {
  adoptedMachine,
  type Effect,
  type LeaseId,
  type LifecyclePolicy,
  leftoverMachine,
  type MachineEvent,
  type MachineModel,
  newMachine,
  type UntimedEvent,
} from "./state.ts";
import { transition } from "./transition.ts";

/** A machine, or the order of one, that this program finds and did not make. */
export interface Found {
  readonly token: string;
  readonly machine: string | undefined;
}

/** A machine of one connection is of no use to another, so it does not wait for one. */
function policyOf({ shared, lingerMs }: MachineContext["target"]): LifecyclePolicy {
  return { lingerMs: shared ? lingerMs : 0 };
}

interface Waiter {
  readonly resolve: (host: string) => void;
  readonly reject: (error: unknown) => void;
}

/** Drives one machine: takes events, asks `transition` what follows, and has it done. It decides nothing itself. */
export class MachineDriver {
  readonly #context: MachineContext;
  #model: MachineModel = newMachine;
  #launch: Launch | undefined;
  readonly #waiters = new Map<LeaseId, Waiter>();
  readonly #taken = new Map<LeaseId, AbortController>();
  #nextLease: LeaseId = 1;
  readonly #whenIdle = new Set<() => void>();

  constructor(context: MachineContext) {
    this.#context = context;
  }

  /** A machine that an earlier run of the program left behind: it is ended before the target starts again. */
  static leftover(context: MachineContext, { token, machine }: Found): MachineDriver {
    return MachineDriver.#continue(context, leftoverMachine(machine), { token, machine }, (launch) => ({
      type: "destroy",
      launch,
      machine,
    }));
  }

  /** A machine that an earlier run left behind, and that may serve again: it is brought to readiness as any other. */
  static adopted(context: MachineContext, { token, machine }: Found & { machine: string }): MachineDriver {
    return MachineDriver.#continue(context, adoptedMachine(machine), { token, machine }, (launch) => ({
      type: "boot",
      launch,
      machine,
    }));
  }

  static #continue(
    context: MachineContext,
    model: MachineModel,
    { token, machine }: Found,
    effect: (launch: number) => Effect,
  ): MachineDriver {
    const driver = new MachineDriver(context);
    driver.#model = model;
    driver.#launch = driver.#newLaunch(model.launches, token, machine);
    driver.#perform(effect(model.launches));
    driver.#announce(newMachine, model);
    return driver;
  }

  /** Whether nothing exists, is wanted, or is under way. */
  get idle(): boolean {
    const { state, leases } = this.#model;
    return leases.size === 0 && (state.kind === "absent" || state.kind === "failed");
  }

  /** Whether a machine, known by its id or by its launch token, is this one. */
  is(machine: string, token: string | undefined): boolean {
    return this.#launch !== undefined && (this.#launch.machine === machine || this.#launch.token === token);
  }

  /** What may be running now: the cloud's id, or the launch token while there is no id. */
  get running(): string | undefined {
    const { state } = this.#model;
    if (!("launch" in state) || state.kind === "preparing") return undefined;
    return this.#launch && (this.#launch.machine ?? `(no id yet, client token ${this.#launch.token})`);
  }

  /** Resolves when the machine is ready for this lease; see `Targets.acquire`. */
  async acquire(signal: AbortSignal): Promise<Lease> {
    signal.throwIfAborted();
    const id = this.#nextLease++;
    const taken = new AbortController();
    const release = () => {
      this.#waiters.delete(id);
      this.#taken.delete(id);
      this.#dispatch({ type: "release", lease: id });
    };
    const host = await new Promise<string>((resolve, reject) => {
      const leave = () => {
        settled();
        release();
        reject(signal.reason);
      };
      const settledSignal = new AbortController();
      const settled = () => {
        signal.removeEventListener("abort", leave);
        settledSignal.abort("settled");
      };
      signal.addEventListener("abort", leave, { once: true });
      void this.#notForEver(id, settledSignal.signal);
      this.#taken.set(id, taken);
      this.#waiters.set(id, {
        resolve: (answer) => {
          settled();
          resolve(answer);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
      this.#dispatch({ type: "acquire", lease: id });
    });
    return {
      host,
      signal: taken.signal,
      release,
      stillRuns: async () => {
        await this.#lookNow(signal);
        return !taken.signal.aborted;
      },
      [Symbol.asyncDispose]: async () => release(),
    };
  }

  /** A start has its own deadlines; the end of the machine before it has none, so who waits for that needs one. */
  async #notForEver(lease: LeaseId, answered: AbortSignal): Promise<void> {
    const { target, clock } = this.#context;
    await clock.sleep(target.bootTimeoutMs, answered).catch(() => undefined);
    const waiter = this.#waiters.get(lease);
    if (!waiter || this.#model.state.kind !== "stopping") return;
    const machine = this.#launch?.machine ?? "of an order without an answer";
    const last = this.#launch?.waitingFor === undefined ? "" : ` (waiting for: ${this.#launch.waitingFor})`;
    const error = new LazysshError(
      "BOOT_TIMEOUT",
      `${target.name}: the machine ${machine} before this one has not ended within ` +
        `${formatDuration(target.bootTimeoutMs)}${last}, and nothing is started beside it`,
    );
    this.#waiters.delete(lease);
    this.#taken.delete(lease);
    this.#dispatch({ type: "release", lease });
    waiter.reject(error);
  }

  /** Does what the watch does every few seconds, without waiting for its turn. */
  async #lookNow(signal: AbortSignal): Promise<void> {
    const { state } = this.#model;
    if (state.kind !== "ready") return;
    const { launch } = state;
    const error = await this.#launch?.deathOf(state.machine, signal);
    if (error) this.#dispatch({ type: "died", launch, error });
  }

  /** Refuses new leases, takes back those there are, and resolves when nothing exists any more. */
  async close(reason: LazysshError): Promise<void> {
    this.#dispatch({ type: "close", error: reason });
    if (!this.idle) await new Promise<void>((resolve) => this.#whenIdle.add(resolve));
  }

  /** Calls back, once, when the machine is next idle. */
  onceIdle(callback: () => void): void {
    this.#whenIdle.add(callback);
  }

  #dispatch(event: UntimedEvent): void {
    const { target, clock } = this.#context;
    const before = this.#model;
    const timed = { ...event, at: clock.now() } as MachineEvent;
    const { model, effects } = transition(before, timed, policyOf(target));
    this.#model = model;
    if ("error" in event && event.type !== "close" && before.state.kind !== "stopping" && model !== before) {
      this.#complain(event.error);
    }
    for (const effect of effects) this.#perform(effect);
    if (before.state.kind !== model.state.kind) this.#announce(before, model);
    if (this.idle) {
      const callbacks = [...this.#whenIdle];
      this.#whenIdle.clear();
      for (const callback of callbacks) callback();
    }
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case "grant":
        this.#waiters.get(effect.lease)?.resolve(effect.host);
        this.#waiters.delete(effect.lease);
        return;
      case "refuse":
        this.#taken.delete(effect.lease);
        this.#waiters.get(effect.lease)?.reject(effect.error);
        this.#waiters.delete(effect.lease);
        return;
      case "revoke":
        this.#taken.get(effect.lease)?.abort(effect.error);
        this.#taken.delete(effect.lease);
        return;
      case "retry":
        this.#context.clock.sleep(effect.ms, this.#context.signal).then(
          () => this.#dispatch({ type: "retry" }),
          () => undefined,
        );
        return;
      case "prepare":
        this.#launch = this.#newLaunch(effect.launch, `lazyssh-${randomUUID()}`, undefined);
        this.#launch.perform(effect);
        return;
      default:
        this.#launch?.perform(effect);
    }
  }

  #newLaunch(number: number, token: string, machine: string | undefined): Launch {
    return new Launch(this.#context, number, token, machine, (event) => this.#dispatch(event));
  }

  /** A start failed, or a machine in use died. */
  #complain({ code, message }: LazysshError): void {
    this.#context.events.emit({
      type: "machine.failed",
      target: this.#context.target.name,
      machine: this.#launch?.machine,
      code,
      reason: message,
    });
  }

  #announce(before: MachineModel, { state, leases }: MachineModel): void {
    this.#context.events.emit({
      type: "machine.state",
      target: this.#context.target.name,
      launch: this.#launch?.token,
      machine: this.#launch?.machine,
      from: before.state.kind,
      to: state.kind,
      leases: leases.size,
      reason: "error" in state ? state.error?.message : undefined,
    });
  }
}
