import type { Fate } from "../cloud/state.ts";

/** Which calls a rule is about, and how often. */
interface RuleScope {
  /** An action's name, `*`, or a prefix with a star: `Describe*`. */
  readonly action: string;
  /** How many calls it hits before it is used up. Default: no end. */
  readonly times?: number;
  /** Chance that it hits a call it is about, 0 to 1. Default 1. */
  readonly probability?: number;
}

/** What goes wrong. The first rule that hits a call decides. */
export type FaultRule = RuleScope &
  (
    | { readonly kind: "error"; readonly code: string; readonly message?: string; readonly status?: number }
    /** InsufficientInstanceCapacity, as EC2 puts it. */
    | { readonly kind: "capacity" }
    /** RequestLimitExceeded, status 503. */
    | { readonly kind: "throttle" }
    /** The connection is reset before anything has happened. */
    | { readonly kind: "drop-before" }
    /** It happens, and the connection is reset instead of an answer. */
    | { readonly kind: "drop-after" }
    /** It happens, and the answer is an internal error. */
    | { readonly kind: "error-after" }
    /** The call waits this long before anything happens. */
    | { readonly kind: "hang"; readonly ms: number }
    /** Describe shows what was true this long ago. */
    | { readonly kind: "stale"; readonly ms: number }
    /** The instance launched ends while pending. */
    | { readonly kind: "dies-pending"; readonly code?: string; readonly reason?: string }
    /** The instance launched never opens its port. */
    | { readonly kind: "never-opens" }
    /** The instance launched accepts connections and says nothing. */
    | { readonly kind: "silent" }
  );

type FaultKind = FaultRule["kind"];

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

  /** What goes wrong with this call; the rule that hit is used up by one. */
  decide(action: string): FaultRule | undefined {
    const hit = this.#armed.find(
      ({ rule, left }) =>
        left > 0 && matches(rule.action, action) && this.#random() < (rule.probability ?? 1),
    );
    if (hit === undefined) return undefined;
    hit.left -= 1;
    return hit.rule;
  }
}

function matches(pattern: string, action: string): boolean {
  return pattern.endsWith("*") ? action.startsWith(pattern.slice(0, -1)) : pattern === action;
}

/** What a rule makes of the instance that the call launches. */
export function fateOf(rule: FaultRule | undefined): Fate {
  if (rule?.kind === "dies-pending") {
    const code = rule.code ?? "Server.InternalError";
    return {
      kind: "dies-pending",
      reason: { code, message: `${code}: ${rule.reason ?? "Internal error on launch"}` },
    };
  }
  if (rule?.kind === "never-opens" || rule?.kind === "silent") return { kind: rule.kind };
  return { kind: "normal" };
}

const KINDS: ReadonlySet<string> = new Set<FaultKind>([
  "error",
  "capacity",
  "throttle",
  "drop-before",
  "drop-after",
  "error-after",
  "hang",
  "stale",
  "dies-pending",
  "never-opens",
  "silent",
]);

/** Rules from JSON. @throws TypeError that names the rule and what is wrong with it. */
export function parseFaultRules(value: unknown): FaultRule[] {
  if (!Array.isArray(value)) throw new TypeError("fault rules are a JSON array of objects");
  return value.map((item: unknown, index) => {
    if (isFaultRule(item)) return item;
    throw new TypeError(
      `fault rule ${index} is not usable: ${JSON.stringify(item)}. It needs "action" and "kind" (${[...KINDS].join(", ")}); ` +
        `"error" needs "code", "hang" and "stale" need "ms"`,
    );
  });
}

function isFaultRule(value: unknown): value is FaultRule {
  if (typeof value !== "object" || value === null) return false;
  const rule = value as Partial<Record<string, unknown>>;
  const optional = (name: string, type: string): boolean =>
    rule[name] === undefined || typeof rule[name] === type;
  if (typeof rule.action !== "string" || typeof rule.kind !== "string" || !KINDS.has(rule.kind)) return false;
  if (rule.kind === "error" && typeof rule.code !== "string") return false;
  if ((rule.kind === "hang" || rule.kind === "stale") && typeof rule.ms !== "number") return false;
  return (
    ["times", "probability", "status"].every((name) => optional(name, "number")) &&
    ["message", "reason"].every((name) => optional(name, "string"))
  );
}
