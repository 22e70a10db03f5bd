import type { FaultRule } from "./fault-rules.ts";

interface Armed {
  readonly rule: FaultRule;
  left: number;
}

/** The fault switches of a world; set from code or by `PUT /_dev/faults`, while it runs. */
export class Faults {
  readonly #random: () => number;
  #armed: Armed[] = [];

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** Replaces all rules. */
  set(rules: readonly FaultRule[]): void {
    this.#armed = rules.map((rule) => ({ rule, left: rule.times ?? Number.POSITIVE_INFINITY }));
  }

  clear(): void {
    this.set([]);
  }

  /** The rules that may still hit, with what is left of their `times`. */
  list(): FaultRule[] {
    return this.#armed
      .filter(({ left }) => left > 0)
      .map(({ rule, left }) => (Number.isFinite(left) ? { ...rule, times: left } : rule));
  }

  /**
   * What goes wrong with this call; the rule that hit is used up by one.
   *
   * @param concerns whether a rule of the right action is about this call in particular. Default: it is.
   */
  decide(action: string, concerns: (rule: FaultRule) => boolean = () => true): FaultRule | undefined {
    const hit = this.#armed.find(
      ({ rule, left }) =>
        left > 0 &&
        matches(rule.action, action) &&
        concerns(rule) &&
        this.#random() < (rule.probability ?? 1),
    );
    if (hit === undefined) return undefined;
    hit.left -= 1;
    return hit.rule;
  }
}

function matches(pattern: string, action: string): boolean {
  return pattern.endsWith("*") ? action.startsWith(pattern.slice(0, -1)) : pattern === action;
}
