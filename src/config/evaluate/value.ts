import { type Decimal, formatDecimal, parseDecimal } from "./decimal.ts";

/**
 * What an expression evaluates to. `unknown` is the result of something that has been reported already, so that one
 * mistake is not told twice. `sensitive` values are never put into a message.
 */
export type Value = { readonly sensitive: boolean } & (
  | { readonly kind: "unknown" }
  | { readonly kind: "null" }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "number"; readonly value: Decimal }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "tuple"; readonly items: readonly Value[] }
  | { readonly kind: "object"; readonly entries: ReadonlyMap<string, Value> }
);

export const UNKNOWN: Value = { kind: "unknown", sensitive: false };
export const NULL: Value = { kind: "null", sensitive: false };

/** ASCII is in every normal form, and needs no tables to tell. */
const PLAIN = /^[\t\n\r -~]*$/;

/** Strings are kept in Unicode normal form C, as HCL keeps them. */
export function string(value: string, sensitive = false): Value {
  return { kind: "string", value: PLAIN.test(value) ? value : value.normalize("NFC"), sensitive };
}

export function number(value: Decimal, sensitive = false): Value {
  return { kind: "number", value, sensitive };
}

export function bool(value: boolean, sensitive = false): Value {
  return { kind: "bool", value, sensitive };
}

export function tuple(items: readonly Value[], sensitive = false): Value {
  return { kind: "tuple", items, sensitive };
}

export function object(entries: ReadonlyMap<string, Value>, sensitive = false): Value {
  return { kind: "object", entries, sensitive };
}

export function marked(value: Value, sensitive: boolean): Value {
  return sensitive && !value.sensitive ? { ...value, sensitive } : value;
}

/** What a value is, for a message; never what it holds. */
export function kindName(value: Value): string {
  if (value.kind === "tuple") return "a list";
  if (value.kind === "object") return "an object";
  return value.kind === "null" || value.kind === "unknown" ? value.kind : `a ${value.kind}`;
}

/** The conversions to text that HCL makes by itself; undefined where it makes none. */
export function toText(value: Value): string | undefined {
  if (value.kind === "string") return value.value;
  if (value.kind === "number") return formatDecimal(value.value);
  if (value.kind === "bool") return String(value.value);
  return undefined;
}

export function toNumber(value: Value): Decimal | undefined {
  if (value.kind === "number") return value.value;
  return value.kind === "string" ? parseDecimal(value.value) : undefined;
}

export function toBool(value: Value): boolean | undefined {
  if (value.kind === "bool") return value.value;
  if (value.kind !== "string") return undefined;
  if (value.value === "true" || value.value === "1") return true;
  return value.value === "false" || value.value === "0" ? false : undefined;
}

export function containsSensitive(value: Value): boolean {
  if (value.sensitive) return true;
  if (value.kind === "tuple") return value.items.some(containsSensitive);
  return value.kind === "object" && [...value.entries.values()].some(containsSensitive);
}

export function containsUnknown(value: Value): boolean {
  if (value.kind === "tuple") return value.items.some(containsUnknown);
  if (value.kind === "object") return [...value.entries.values()].some(containsUnknown);
  return value.kind === "unknown";
}

/** Entries in the order of their names, the only order an HCL object has. */
export function sortedEntries(entries: ReadonlyMap<string, Value>): [string, Value][] {
  return [...entries].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** Items with their keys, as `for` and splat see them; undefined for what is no collection. */
export function pairsOf(value: Value): (readonly [key: Value, item: Value])[] | undefined {
  if (value.kind === "tuple") {
    return value.items.map((item, index) => [
      number({ coefficient: BigInt(index), exponent: 0 }),
      marked(item, value.sensitive),
    ]);
  }
  if (value.kind !== "object") return undefined;
  return sortedEntries(value.entries).map(([key, item]) => [string(key), marked(item, value.sensitive)]);
}

export function equal(a: Value, b: Value): boolean {
  if (a.kind === "tuple" && b.kind === "tuple") {
    return (
      a.items.length === b.items.length &&
      a.items.every((item, index) => equal(item, b.items[index] ?? UNKNOWN))
    );
  }
  if (a.kind === "object" && b.kind === "object") {
    const others = b.entries;
    return (
      a.entries.size === others.size &&
      [...a.entries].every(([key, item]) => equal(item, others.get(key) ?? UNKNOWN))
    );
  }
  return a.kind === b.kind && toText(a) === toText(b);
}
