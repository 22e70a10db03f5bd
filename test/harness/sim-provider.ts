import type {
  CreateRequest,
  Finding,
  Machine,
  MachinePhase,
  Progress,
  Provider,
  VolumeInfo,
} from "../../src/providers/index.ts";
import { LazysshError } from "../../src/util/errors.ts";
import type { SimClock } from "./sim-clock.ts";

interface SimMachine {
  readonly id: string;
  readonly token: string;
  readonly alternative: number;
  readonly launchedAt: number;
  /** When it was last started. */
  createdAt: number;
  notes: Record<string, string>;
  /** What its notes were before, and until when. */
  readonly notesBefore: { readonly until: number; readonly notes: Record<string, string> }[];
  /** When it was started again, if it was, and what it looked like before. */
  readonly runsBefore: { readonly until: number; readonly createdAt: number; readonly restedAt: number }[];
  notice: string | undefined;
  /** When it was asked to rest. */
  restedAt: number | undefined;
  endedAt: number | undefined;
  reason: string | undefined;
  attached: boolean;
}

/** What can be made to go wrong: called before each verb; what it throws is the verb's failure. */
export type Fault = (verb: keyof Provider, call: number) => Promise<void> | void;

/**
 * A cloud of one target with one volume, on a simulated clock: 1 s to run, 1 s to rest or to end, 1 s to let the volume go.
 * It keeps count of what the two promises are about.
 */
export class SimProvider implements Provider {
  readonly type = "sim";
  readonly summary = "a simulated machine";
  readonly hasVolumes = true;
  alternatives: readonly string[] = ["a simulated machine"];
  /** Of which alternatives there is no capacity. */
  soldOut: ReadonlySet<number> = new Set();
  readonly machines: SimMachine[] = [];
  readonly calls: string[] = [];
  mostRunning = 0;
  mostAttached = 0;
  /** Machines terminated while their operating system ran and a volume was attached. */
  cutOff = 0;
  pendingMs = 1_000;
  restMs = 1_000;
  endMs = 1_000;
  detachMs = 1_000;
  canRest = true;
  /** How far the next look is behind the truth, in milliseconds. */
  lagMs = 0;
  /** Whether what is gone is still listed. */
  listsGone = true;
  /** Every order makes a machine, as if tokens were not known. */
  splitTokens = false;
  fault: Fault = () => undefined;
  /** After the effect, before the answer: a lost answer. */
  lost: Fault = () => undefined;
  readonly #clock: SimClock;

  readonly #target: string;

  constructor(clock: SimClock, target = "archiver") {
    this.#clock = clock;
    this.#target = target;
  }

  /** Machines that cost machine time. */
  get running(): SimMachine[] {
    return this.machines.filter((machine) => !["gone", "resting"].includes(this.#phase(machine)));
  }

  get resting(): SimMachine[] {
    return this.machines.filter((machine) => this.#phase(machine) === "resting");
  }

  get volumeFree(): boolean {
    return this.#holder() === undefined;
  }

  /** The machine ends from outside. */
  kill(reason: string): void {
    for (const machine of this.running) {
      machine.endedAt = this.#clock.now() - this.endMs;
      machine.reason = reason;
    }
  }

  async volumesFree(): Promise<Progress> {
    const lag = this.#lag();
    await this.#call("volumesFree");
    const holder = this.#holder(this.#clock.now() - lag);
    return holder ? { done: false, waitingFor: `vol-1 is in-use by ${holder.id}` } : { done: true };
  }

  async create({ token, alternative, notes }: CreateRequest): Promise<Machine> {
    await this.#call("create");
    const same = (known: SimMachine) => known.token === token && known.alternative === alternative;
    let machine = this.splitTokens ? undefined : this.machines.find(same);
    if (!machine) {
      if (this.soldOut.has(alternative)) throw new LazysshError("NO_CAPACITY", "no capacity");
      machine = {
        id: `i-${this.#target === "archiver" ? "" : `${this.#target}-`}${this.machines.length + 1}`,
        token,
        alternative,
        launchedAt: this.#clock.now(),
        createdAt: this.#clock.now(),
        notes: { ...notes },
        notesBefore: [],
        runsBefore: [],
        notice: undefined,
        restedAt: undefined,
        endedAt: undefined,
        reason: undefined,
        attached: false,
      };
      this.machines.push(machine);
      this.#countRunning();
    }
    await this.lost("create", this.#count("create"));
    return this.#view(machine);
  }

  async find(token: string): Promise<Machine | undefined> {
    const lag = this.#lag();
    await this.#call("find");
    const at = this.#clock.now() - lag;
    const machine = this.machines.find((known) => known.token === token && known.launchedAt <= at);
    return machine && this.#view(machine, at);
  }

  async describe(id: string): Promise<Machine> {
    const lag = this.#lag();
    await this.#call("describe");
    const at = this.#clock.now() - lag;
    const machine = this.#find(id);
    if (machine.launchedAt > at)
      throw new LazysshError("MACHINE_NOT_FOUND", `no ${id} yet`, { retryable: true });
    return this.#view(machine, at);
  }

  async attach(id: string): Promise<Progress> {
    await this.#call("attach");
    const holder = this.#holder();
    if (holder && holder.id !== id) return { done: false, waitingFor: `vol-1 is in-use by ${holder.id}` };
    this.#find(id).attached = true;
    this.mostAttached = Math.max(this.mostAttached, this.machines.filter((m) => this.#holds(m)).length);
    return { done: true };
  }

  async start(id: string): Promise<void> {
    await this.#call("start");
    const machine = this.#find(id);
    if (this.#phase(machine) !== "resting") return;
    const { createdAt, restedAt = 0 } = machine;
    machine.runsBefore.push({ until: this.#clock.now(), createdAt, restedAt });
    machine.restedAt = undefined;
    machine.createdAt = this.#clock.now();
    this.#countRunning();
  }

  async rest(id: string): Promise<void> {
    await this.#call("rest");
    if (!this.canRest) throw new LazysshError("NOT_SUPPORTED", "it cannot rest");
    this.#find(id).restedAt ??= this.#clock.now();
  }

  async annotate(id: string, notes: Readonly<Record<string, string | undefined>>): Promise<void> {
    await this.#call("annotate");
    const machine = this.#find(id);
    machine.notesBefore.push({ until: this.#clock.now(), notes: { ...machine.notes } });
    for (const [key, value] of Object.entries(notes)) {
      if (value === undefined) delete machine.notes[key];
      else machine.notes[key] = value;
    }
  }

  async destroy(id: string): Promise<void> {
    await this.#call("destroy");
    const machine = this.#find(id);
    if (machine.attached && this.#phase(machine) === "running") this.cutOff += 1;
    machine.endedAt ??= this.#clock.now();
  }

  remedy(id: string | undefined): string {
    return `end ${id ?? "it"} by hand`;
  }

  async list(_: AbortSignal, { gone } = { gone: false }): Promise<readonly Machine[]> {
    await this.#call("list");
    const listed = this.machines.filter(
      (machine) => (gone && this.listsGone) || this.#phase(machine) !== "gone",
    );
    return listed.map((machine) => this.#view(machine));
  }

  async volumes(): Promise<readonly VolumeInfo[]> {
    await this.#call("volumes");
    const holder = this.#holder();
    const state = holder ? "in-use" : "available";
    return [{ id: "vol-1", state, sizeGiB: 125, type: "sc1", holders: holder ? [holder.id] : [] }];
  }

  async preflight(): Promise<readonly Finding[]> {
    return [];
  }

  async #call(verb: keyof Provider): Promise<void> {
    this.calls.push(verb);
    await this.fault(verb, this.#count(verb));
  }

  #count(verb: string): number {
    return this.calls.filter((call) => call === verb).length;
  }

  #countRunning(): void {
    this.mostRunning = Math.max(this.mostRunning, this.running.length);
  }

  #find(id: string): SimMachine {
    const machine = this.machines.find((known) => known.id === id);
    if (!machine) throw new LazysshError("MACHINE_NOT_FOUND", `no machine ${id}`);
    return machine;
  }

  #lag(): number {
    const lag = this.lagMs;
    this.lagMs = 0;
    return lag;
  }

  #holder(at?: number): SimMachine | undefined {
    return this.machines.find((machine) => this.#holds(machine, at));
  }

  #holds({ attached, endedAt }: SimMachine, at = this.#clock.now()): boolean {
    return attached && (endedAt === undefined || at < endedAt + this.endMs + this.detachMs);
  }

  #phase(machine: SimMachine, at = this.#clock.now()): MachinePhase {
    const { endedAt } = machine;
    const { createdAt, restedAt } = machine.runsBefore.find(({ until }) => at < until) ?? machine;
    if (endedAt !== undefined && at >= endedAt) {
      // What is at rest has nothing left to be shut down.
      const rested = restedAt !== undefined && endedAt >= restedAt + this.restMs;
      return !rested && at < endedAt + this.endMs ? "stopping" : "gone";
    }
    if (restedAt !== undefined && at >= restedAt) return at < restedAt + this.restMs ? "stopping" : "resting";
    return at < createdAt + this.pendingMs ? "pending" : "running";
  }

  #view(machine: SimMachine, at = this.#clock.now()): Machine {
    const phase = this.#phase(machine, at);
    const { id, token, reason, notice, createdAt } = machine;
    const { notes } = machine.notesBefore.find(({ until }) => at < until) ?? machine;
    return {
      id,
      phase,
      token,
      reason,
      target: this.#target,
      notes: { ...notes },
      notice,
      startedAt: createdAt,
      address: phase === "running" ? "10.0.0.1" : undefined,
    };
  }
}
