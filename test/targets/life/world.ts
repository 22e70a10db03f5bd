import {
  adoptedMachine,
  type Effect,
  type LeaseId,
  leftoverMachine,
  type MachineEvent,
  type MachineModel,
  newMachine,
  type UntimedEvent,
} from "../../../src/targets/life/state.ts";
import { transition } from "../../../src/targets/life/transition.ts";
import { LazysshError } from "../../../src/util/errors.ts";

export const boom = new LazysshError("NO_CAPACITY", "no capacity");

/**
 * The world around the machine, played by fast-check: it carries out effects in any order and at any time, loses and
 * delays answers, lets machines die, and keeps the books that the two promises are about.
 */
export class World {
  model: MachineModel = newMachine;
  readonly answers = new Map<LeaseId, number>();
  readonly wanted = new Set<LeaseId>();
  /** Machines that exist in the cloud, by launch. */
  readonly exists = new Map<number, string>();
  /** Launches that found a machine instead of making one. */
  readonly others = new Set<number>();
  /** Steps under way: what may be answered next. */
  pending: Effect[] = [];
  at = 0;
  mostMachines = 0;
  readonly lingerMs: number;

  constructor(lingerMs: number) {
    this.lingerMs = lingerMs;
  }

  /** A machine of an earlier run, at the start of this one. */
  continueFrom(what: "adopted" | "leftover"): void {
    this.exists.set(1, "i-1");
    this.model = what === "adopted" ? adoptedMachine("i-1") : leftoverMachine("i-1");
    this.pending.push(
      what === "adopted"
        ? { type: "boot", launch: 1, machine: "i-1" }
        : { type: "destroy", launch: 1, machine: "i-1", failed: false },
    );
  }

  dispatch(event: UntimedEvent): void {
    const { model, effects } = transition(this.model, { ...event, at: this.at } as MachineEvent, {
      lingerMs: this.lingerMs,
    });
    this.model = model;
    for (const effect of effects) {
      switch (effect.type) {
        case "grant":
        case "refuse":
          this.answers.set(effect.lease, (this.answers.get(effect.lease) ?? 0) + 1);
          if (effect.type === "refuse") this.wanted.delete(effect.lease);
          break;
        case "revoke":
          this.wanted.delete(effect.lease);
          break;
        case "abort":
          // An order under way is not interrupted; everything else is.
          this.pending = this.pending.filter(
            (step) => !("launch" in step) || step.launch !== effect.launch || step.type === "create",
          );
          break;
        default:
          this.pending.push(effect);
      }
    }
  }

  /** Carries one pending effect out, well or badly. */
  answer(index: number, luck: number): void {
    const effect = this.pending[index % Math.max(this.pending.length, 1)];
    if (!effect) return;
    this.pending = this.pending.filter((step) => step !== effect);
    const event = this.outcome(effect, luck);
    if (event) this.dispatch(event);
    else this.pending.push(effect);
  }

  /** The machine is another's to end. */
  private miss(launch: number): UntimedEvent {
    this.exists.delete(launch);
    return { type: "missed", launch };
  }

  private outcome(effect: Effect, luck: number): UntimedEvent | undefined {
    const launch = "launch" in effect ? effect.launch : 0;
    const failed: UntimedEvent = { type: "failed", launch, error: boom, exists: "no" };
    const bad = luck < 0.12;
    switch (effect.type) {
      case "prepare":
        // One that is there: another server's, or one at rest.
        if (luck >= 0.12 && luck < 0.25) {
          this.exists.set(launch, `i-${launch}`);
          this.others.add(launch);
          return { type: "joined", launch, machine: `i-${launch}` };
        }
        return bad ? failed : { type: "prepared", launch };
      case "create": {
        if (luck < 0.05) return failed;
        if (luck >= 0.1) this.exists.set(launch, `i-${launch}`);
        this.mostMachines = Math.max(this.mostMachines, this.exists.size);
        if (luck < 0.2) return { type: "failed", launch, error: boom, exists: "maybe" };
        if (luck < 0.25) return this.miss(launch);
        return { type: "created", launch, machine: `i-${launch}` };
      }
      case "boot":
        if (luck >= 0.12 && luck < 0.25 && this.others.has(launch)) return this.miss(launch);
        return bad ? failed : { type: "booted", launch };
      case "attach":
        return bad ? failed : { type: "attached", launch };
      case "probe":
        return bad ? failed : { type: "answering", launch, host: "h" };
      case "watch":
        // It goes on while the machine is in use.
        if (bad) return { type: "died", launch, error: boom };
        if (luck < 0.4) {
          const type = luck < 0.2 ? "unfit" : luck < 0.3 ? "fit" : "silent";
          this.dispatch({ type, launch, error: boom, unanswered: luck < 0.35 });
        }
        return undefined;
      case "linger":
        return { type: "lingered", launch };
      case "retry":
        this.at += effect.ms;
        return { type: "retry" };
      case "destroy":
        this.exists.delete(launch);
        return { type: "stopped", launch };
      default:
        throw new Error(`unexpected effect ${effect.type}`);
    }
  }
}
