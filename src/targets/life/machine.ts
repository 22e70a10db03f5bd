import { randomUUID } from "node:crypto";
import { unlessAborted } from "../../util/deadline.ts";
import type { LazysshError } from "../../util/errors.ts";
import type { LeaseStatusLine, MachineStatus } from "../by-hand.ts";
import type { Found, MachineContext } from "../context.ts";
import type { Lease, Tenant } from "../lease.ts";
import { announceFailure, announceState } from "./announce.ts";
import { cutShort, statusOf } from "./by-hand.ts";
import { Launch } from "./launch.ts";
import { policyOf } from "./moves.ts";
import {
  adoptedMachine,
  type Effect,
  type LeaseId,
  leftoverMachine,
  type MachineEvent,
  type MachineModel,
  newMachine,
  type UntimedEvent,
} from "./state.ts";
import { isWithoutMachineToCome, stageOf, whyNothingStarts } from "./telling.ts";
import { Tenancy } from "./tenancy.ts";
import { transition } from "./transition.ts";

/** Drives one machine: takes events, asks `transition` what follows, and has it done. It decides nothing itself. */
export class MachineDriver {
  /** That of the machine there is; the next one has the target's as it is then. */
  #context: MachineContext;
  #latest: MachineContext | undefined;
  #model: MachineModel = newMachine;
  #launch: Launch | undefined;
  readonly #tenancy = new Tenancy();
  #nextLease: LeaseId = 1;
  /** Since when the state is what it is, milliseconds since the epoch. */
  #since: number;
  readonly #whenIdle = new Set<() => void>();

  constructor(context: MachineContext) {
    this.#context = context;
    this.#latest = context;
    this.#since = context.clock.now();
  }

  /**
   * A machine that an earlier run of the program left behind: it is ended before the target starts again.
   *
   * @param failed It is not to be kept at rest either.
   */
  static leftover(context: MachineContext, { token, machine }: Found, failed = false): MachineDriver {
    const model = leftoverMachine(machine, failed);
    const effect = (launch: number): Effect => ({ type: "destroy", launch, machine, failed });
    return MachineDriver.#continue(context, model, { token, machine }, effect);
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
    driver.#launch = driver.#newLaunch(model.launches, token, machine, true);
    driver.#perform(effect(model.launches));
    driver.#announce(newMachine, model);
    return driver;
  }

  get target(): string {
    return this.#context.target.name;
  }

  /**
   * Its target has another definition, or, when undefined, is not configured any more. The machine that there is goes on as it was
   * ordered, for those who have it; the next one is as the definition says, and of a target that is gone there is no next one.
   */
  redefine(latest: MachineContext | undefined, gone: LazysshError): void {
    if (latest === this.#latest) return;
    this.#latest = latest;
    const { state } = this.#model;
    if (latest) {
      // Nothing exists yet, so that it can begin anew.
      if (state.kind === "preparing") this.#dispatch({ type: "missed", launch: state.launch });
      return;
    }
    if (state.kind === "lingering") this.#dispatch({ type: "lingered", launch: state.launch });
    if (isWithoutMachineToCome(state)) for (const id of this.#waiting()) this.#turnAway(id, gone);
  }

  /** What its target is called in the config. */
  get family(): string {
    return this.#context.family;
  }

  /** Whether a user has it, or waits for it. */
  isUsedBy(user: string): boolean {
    return this.#tenancy.has(user);
  }

  get shared(): boolean {
    return this.#context.target.shared;
  }

  /** The machine that is being ended, by its id or, while there is none, in words. */
  get ending(): string | undefined {
    return this.#model.state.kind === "stopping" ? this.running : undefined;
  }

  /** Whether nothing exists, is wanted, or is under way. */
  get idle(): boolean {
    const { state, leases } = this.#model;
    return leases.size === 0 && (state.kind === "absent" || state.kind === "failed");
  }

  /** Whether a machine, known by its id or by its launch token, is this one. */
  is(machine: string, token: string | undefined): boolean {
    // What was left to another server is not looked after here any more.
    if (!this.#launch || !("launch" in this.#model.state)) return false;
    return this.#launch.machine === machine || this.#launch.token === token;
  }

  /** What may be running now: the cloud's id, or the launch token while there is no id. */
  get running(): string | undefined {
    const { state } = this.#model;
    if (!("launch" in state) || state.kind === "preparing") return undefined;
    return this.#launch && (this.#launch.machine ?? `(no id yet, client token ${this.#launch.token})`);
  }

  /** What there is, for people; undefined when nothing is. */
  get status(): MachineStatus | undefined {
    if (this.idle && this.#model.state.kind === "absent") return undefined;
    return statusOf(this.target, this.#model, this.#launch, this.#since, this.#tenancy);
  }

  /** Takes what is held by hand back, ends the linger, and with `cut` whatever else there is. */
  drop(cut: LazysshError | undefined): readonly LeaseStatusLine[] {
    for (const release of this.#tenancy.byHand()) release();
    const { state } = this.#model;
    if (state.kind === "lingering") this.#dispatch({ type: "lingered", launch: state.launch });
    const event = cut && cutShort(this.#model.state, cut);
    if (event) this.#dispatch(event);
    return this.#tenancy.lines(this.#model.leases);
  }

  /** Resolves when the machine is ready for this lease; see `Targets.acquire`. */
  async acquire(tenant: Tenant, signal: AbortSignal): Promise<Lease> {
    signal.throwIfAborted();
    const id = this.#nextLease++;
    const release = () => {
      this.#tenancy.leave(id);
      this.#dispatch({ type: "release", lease: id });
    };
    const { host, taken } = this.#tenancy.enter(id, tenant, this.#context.clock.now(), release);
    const answered = new AbortController();
    void this.#notForEver(id, answered.signal);
    this.#dispatch({ type: "acquire", lease: id });
    if (this.#model.leases.get(id) === "waiting") this.#tell();
    try {
      return this.#lease(id, await unlessAborted(signal, host), taken, release, signal);
    } catch (error) {
      if (signal.aborted) release();
      throw error;
    } finally {
      answered.abort("answered");
    }
  }

  #lease(id: LeaseId, host: string, taken: AbortSignal, release: () => void, signal: AbortSignal): Lease {
    return {
      host,
      portMap: this.#context.target.portMap,
      signal: taken,
      release,
      carries: (traffic) => this.#tenancy.carries(id, traffic),
      stillRuns: async () => (await this.#lookNow(signal)) && !taken.aborted,
      [Symbol.asyncDispose]: async () => release(),
    };
  }

  /**
   * A start has its own deadlines; the end of the machine before it has none, nor has the use of one that takes nobody new: who
   * waits for that needs one.
   */
  async #notForEver(lease: LeaseId, answered: AbortSignal): Promise<void> {
    const { target, clock } = this.#context;
    await clock.sleep(target.bootTimeoutMs, answered).catch(() => undefined);
    if (answered.aborted || this.#model.leases.get(lease) !== "waiting") return;
    const why = whyNothingStarts(this.#model.state, this.#launch, target);
    if (why) this.#turnAway(lease, why);
  }

  #waiting(): LeaseId[] {
    return [...this.#model.leases].flatMap(([id, status]) => (status === "waiting" ? [id] : []));
  }

  #turnAway(lease: LeaseId, why: LazysshError): void {
    this.#tenancy.refuse(lease, why);
    this.#dispatch({ type: "release", lease });
  }

  /** Does what the watch does every few seconds, without waiting for its turn, and answers whether the machine is well. */
  async #lookNow(signal: AbortSignal): Promise<boolean> {
    const { state } = this.#model;
    if (state.kind !== "ready") return false;
    const { launch } = state;
    const error = await this.#launch?.deathOf(state.machine, signal);
    if (error) this.#dispatch({ type: "died", launch, error });
    return !error && (await this.#launch?.answers(signal)) === true;
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
    const before = this.#model;
    const timed = { ...event, at: this.#context.clock.now() } as MachineEvent;
    const { model, effects } = transition(before, timed, policyOf(this.#latest?.target));
    this.#model = model;
    if (before.state.kind !== model.state.kind) this.#since = timed.at;
    const bad = "error" in event && event.type !== "close" && event.type !== "unfit";
    if (bad && before.state.kind !== "stopping" && model !== before)
      announceFailure(this.#context, this.#launch?.machine, event.error);
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
        this.#tenancy.grant(effect.lease, effect.host);
        return;
      case "refuse":
        this.#tenancy.refuse(effect.lease, effect.error);
        return;
      case "revoke":
        this.#tenancy.revoke(effect.lease, effect.error);
        return;
      case "retry":
        this.#context.clock.sleep(effect.ms, this.#context.signal).then(
          () => this.#dispatch({ type: "retry" }),
          () => undefined,
        );
        return;
      case "prepare":
        this.#context = this.#latest ?? this.#context;
        this.#launch = this.#newLaunch(effect.launch, `lazyssh-${randomUUID()}`, undefined, false);
        this.#launch.perform(effect);
        return;
      default:
        this.#launch?.perform(effect);
    }
  }

  #newLaunch(number: number, token: string, machine: string | undefined, found: boolean): Launch {
    return new Launch({
      context: this.#context,
      number,
      token,
      machine,
      found,
      report: (event) => this.#dispatch(event),
      traffic: () => this.#tenancy.traffic,
      keptByConnections: () => this.#tenancy.onlyConnections,
      unanswered: () => this.#tenancy.unanswered,
      clients: () => this.#tenancy.clients,
      onWaiting: () => this.#tell(),
    });
  }

  #tell(): void {
    this.#tenancy.tell(stageOf(this.#model.state, this.#launch, this.#context.provider.summary));
  }

  #announce(before: MachineModel, model: MachineModel): void {
    this.#tell();
    announceState(this.#context, this.#launch, before, model);
  }
}
