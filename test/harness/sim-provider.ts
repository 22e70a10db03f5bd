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
  readonly createdAt: number;
  endedAt: number | undefined;
  reason: string | undefined;
  attached: boolean;
}

/** What can be made to go wrong: called before each verb; what it throws is the verb's failure. */
export type Fault = (verb: keyof Provider, call: number) => Promise<void> | void;

/**
 * A cloud of one target with one volume, on a simulated clock: 1 s to run, 1 s to end, 1 s to let the volume go.
 * It keeps count of what the two promises are about.
 */
export class SimProvider implements Provider {
  readonly type = "sim";
  readonly summary = "a simulated machine";
  readonly alternatives = ["a simulated machine"];
  readonly machines: SimMachine[] = [];
  readonly calls: string[] = [];
  mostRunning = 0;
  mostAttached = 0;
  pendingMs = 1_000;
  endMs = 1_000;
  detachMs = 1_000;
  fault: Fault = () => undefined;
  /** After the effect, before the answer: a lost answer. */
  lost: Fault = () => undefined;
  readonly #clock: SimClock;

  constructor(clock: SimClock) {
    this.#clock = clock;
  }

  get running(): SimMachine[] {
    return this.machines.filter((machine) => this.#phase(machine) !== "gone");
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
    await this.#call("volumesFree");
    const holder = this.#holder();
    return holder ? { done: false, waitingFor: `vol-1 is in-use by ${holder.id}` } : { done: true };
  }

  async create({ token }: CreateRequest): Promise<Machine> {
    await this.#call("create");
    let machine = this.machines.find((known) => known.token === token);
    if (!machine) {
      machine = {
        id: `i-${this.machines.length + 1}`,
        token,
        createdAt: this.#clock.now(),
        endedAt: undefined,
        reason: undefined,
        attached: false,
      };
      this.machines.push(machine);
      this.mostRunning = Math.max(this.mostRunning, this.running.length);
    }
    await this.lost("create", this.#count("create"));
    return this.#view(machine);
  }

  async find(token: string): Promise<Machine | undefined> {
    await this.#call("find");
    const machine = this.machines.find((known) => known.token === token);
    return machine && this.#view(machine);
  }

  async describe(id: string): Promise<Machine> {
    await this.#call("describe");
    return this.#view(this.#find(id));
  }

  async attach(id: string): Promise<Progress> {
    await this.#call("attach");
    const holder = this.#holder();
    if (holder && holder.id !== id) return { done: false, waitingFor: `vol-1 is in-use by ${holder.id}` };
    this.#find(id).attached = true;
    this.mostAttached = Math.max(this.mostAttached, this.machines.filter((m) => this.#holds(m)).length);
    return { done: true };
  }

  async start(): Promise<void> {
    await this.#call("start");
  }

  async rest(): Promise<void> {
    await this.#call("rest");
  }

  async annotate(): Promise<void> {
    await this.#call("annotate");
  }

  async volumes(): Promise<readonly VolumeInfo[]> {
    return [];
  }

  async preflight(): Promise<readonly Finding[]> {
    return [];
  }

  async destroy(id: string): Promise<void> {
    await this.#call("destroy");
    this.#find(id).endedAt ??= this.#clock.now();
  }

  remedy(id: string | undefined): string {
    return `end ${id ?? "it"} by hand`;
  }

  async list(): Promise<readonly Machine[]> {
    await this.#call("list");
    return this.running.map((machine) => this.#view(machine));
  }

  async #call(verb: keyof Provider): Promise<void> {
    this.calls.push(verb);
    await this.fault(verb, this.#count(verb));
  }

  #count(verb: string): number {
    return this.calls.filter((call) => call === verb).length;
  }

  #find(id: string): SimMachine {
    const machine = this.machines.find((known) => known.id === id);
    if (!machine) throw new LazysshError("MACHINE_NOT_FOUND", `no machine ${id}`);
    return machine;
  }

  #holder(): SimMachine | undefined {
    return this.machines.find((machine) => this.#holds(machine));
  }

  #holds({ attached, endedAt }: SimMachine): boolean {
    return attached && (endedAt === undefined || this.#clock.now() < endedAt + this.endMs + this.detachMs);
  }

  #phase({ createdAt, endedAt }: SimMachine): MachinePhase {
    const now = this.#clock.now();
    if (endedAt !== undefined) return now < endedAt + this.endMs ? "stopping" : "gone";
    return now < createdAt + this.pendingMs ? "pending" : "running";
  }

  #view(machine: SimMachine): Machine {
    const phase = this.#phase(machine);
    const { id, token, reason } = machine;
    return {
      id,
      phase,
      token,
      reason,
      target: "archiver",
      notes: {},
      notice: undefined,
      startedAt: machine.createdAt,
      address: phase === "running" ? "10.0.0.1" : undefined,
    };
  }
}
