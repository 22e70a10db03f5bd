/** Which calls a rule is about, and how often. */
interface RuleScope {
  /** An action's name, `*`, or a prefix with a star: `Describe*`. */
  readonly action: string;
  /** How many calls it hits before it is used up. Default: no end. */
  readonly times?: number;
  /** Chance that it hits a call it is about, 0 to 1. Default 1. */
  readonly probability?: number;
}

export type Market = "spot" | "on-demand";

/** What goes wrong. The first rule that hits a call decides. */
export type FaultRule = RuleScope &
  (
    | { readonly kind: "error"; readonly code: string; readonly message?: string; readonly status?: number }
    /** InsufficientInstanceCapacity, as EC2 puts it; of one type, in one subnet, on one market, or of all. */
    | {
        readonly kind: "capacity";
        readonly instanceType?: string;
        readonly subnet?: string;
        readonly market?: Market;
      }
    /** SpotMaxPriceTooLow for spot orders that would pay less than this, US dollars per hour. */
    | { readonly kind: "spot-price"; readonly price: number }
    /** UnauthorizedOperation, status 403. */
    | { readonly kind: "deny" }
    /** RequestLimitExceeded, status 503. */
    | { readonly kind: "throttle" }
    /** InvalidInstanceID.NotFound for instances younger than this, by default of any age; listings leave them out. */
    | { readonly kind: "not-found"; readonly ms?: number }
    /** The connection is reset before anything has happened. */
    | { readonly kind: "drop-before" }
    /** It happens, and the connection is reset instead of an answer. */
    | { readonly kind: "drop-after" }
    /** It happens, and the answer is an internal error. */
    | { readonly kind: "error-after" }
    /** The call waits this long before anything happens. */
    | { readonly kind: "hang"; readonly ms: number }
    /** Describe shows what was true this long ago: instances, their tags, volumes, spot requests. */
    | { readonly kind: "stale"; readonly ms: number }
    /** AttachVolume takes this long. */
    | { readonly kind: "attach-delay"; readonly ms: number }
    /** The volumes that DetachVolume, or the end that TerminateInstances brings, sets free take this long. */
    | { readonly kind: "detach-delay"; readonly ms: number }
    /** RunInstances with a spent token answers its terminated instance, as EC2 did until January 2025. */
    | { readonly kind: "terminated-replay" }
    /** The instance launched ends while pending. */
    | { readonly kind: "dies-pending"; readonly code?: string; readonly reason?: string }
    /** The instance launched never opens its port. */
    | { readonly kind: "never-opens" }
    /** The instance launched accepts connections and says nothing. */
    | { readonly kind: "silent" }
  );

type FaultKind = FaultRule["kind"];
type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === "string";
const number: Check = (value) => typeof value === "number" && value >= 0;
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const market: Check = (value) => value === "spot" || value === "on-demand";

const SCOPE: Readonly<Record<string, Check>> = {
  action: text,
  kind: text,
  times: optional(number),
  probability: optional(number),
};

/** What each kind may say besides its scope. */
const FIELDS: Readonly<Record<FaultKind, Readonly<Record<string, Check>>>> = {
  error: { code: text, message: optional(text), status: optional(number) },
  capacity: { instanceType: optional(text), subnet: optional(text), market: optional(market) },
  "spot-price": { price: number },
  deny: {},
  throttle: {},
  "not-found": { ms: optional(number) },
  "drop-before": {},
  "drop-after": {},
  "error-after": {},
  hang: { ms: number },
  stale: { ms: number },
  "attach-delay": { ms: number },
  "detach-delay": { ms: number },
  "terminated-replay": {},
  "dies-pending": { code: optional(text), reason: optional(text) },
  "never-opens": {},
  silent: {},
};

export const FAULT_KINDS: readonly string[] = Object.keys(FIELDS);

/** Rules from JSON. @throws TypeError that names the rule and what is wrong with it. */
export function parseFaultRules(value: unknown): FaultRule[] {
  if (!Array.isArray(value)) throw new TypeError("fault rules are a JSON array of objects");
  return value.map((item: unknown, index) => {
    if (isFaultRule(item)) return item;
    throw new TypeError(
      `fault rule ${index} is not usable: ${JSON.stringify(item)}. It needs "action" and "kind" (${FAULT_KINDS.join(", ")}); ` +
        `"error" needs "code", "spot-price" needs "price", "hang", "stale" and the delays need "ms"`,
    );
  });
}

function isFaultRule(value: unknown): value is FaultRule {
  if (typeof value !== "object" || value === null) return false;
  const rule = value as Readonly<Record<string, unknown>>;
  if (typeof rule.kind !== "string" || !Object.hasOwn(FIELDS, rule.kind)) return false;
  const fields = { ...SCOPE, ...FIELDS[rule.kind as FaultKind] };
  // A field that is mistyped would make the rule hit more than was meant.
  const known = Object.keys(rule).every((name) => Object.hasOwn(fields, name));
  return known && Object.entries(fields).every(([name, check]) => check(rule[name]));
}
