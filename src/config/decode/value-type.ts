import { formatDecimal, safeInteger } from "../evaluate/decimal.ts";
import { kindName, marked, sortedEntries, toBool, toNumber, toText, type Value } from "../evaluate/value.ts";
import type { ConfigFiles } from "../files.ts";

export type Conversion<T> =
  | {
      readonly ok: true;
      readonly value: T;
      /** What is not used of it. */
      readonly warning?: string;
      readonly remarks?: readonly Remark[];
    }
  | { readonly ok: false; readonly problem: string };

/** A warning about a value. */
export interface Remark {
  readonly summary: string;
  readonly detail: string;
}

/** How the value of an argument is read. */
export interface ValueType<T> {
  /** What the manual calls it: "string", "number", "duration" … */
  readonly name: string;
  /**
   * `value` is neither null nor unknown. The words of a problem hold nothing of a sensitive value. `files` are for values that are
   * read from a file.
   */
  readonly convert: (value: Value, files: ConfigFiles) => Conversion<T>;
}

export function ok<T>(value: T, warning?: string): Conversion<T> {
  return warning === undefined ? { ok: true, value } : { ok: true, value, warning };
}

export function no(problem: string): Conversion<never> {
  return { ok: false, problem };
}

/** Numbers and bools become strings, as HCL converts them. */
export const text: ValueType<string> = {
  name: "string",
  convert: (value) => {
    const content = toText(value);
    return content === undefined ? no(`A string is needed; this is ${kindName(value)}.`) : ok(content);
  },
};

export const boolean: ValueType<boolean> = {
  name: "bool",
  convert: (value) => {
    const content = toBool(value);
    return content === undefined ? no(`true or false is needed; this is ${quoted(value)}.`) : ok(content);
  },
};

/** A whole number; a string that is one will do. */
export function wholeNumber(least: number, most: number): ValueType<number> {
  return {
    name: "number",
    convert: (value) => {
      const decimal = toNumber(value);
      if (decimal === undefined) return no(`A number is needed; this is ${quoted(value)}.`);
      const whole = safeInteger(decimal);
      if (whole !== undefined && whole >= least && whole <= most) return ok(whole);
      const given = value.sensitive ? "" : ` (this is ${shortened(formatDecimal(decimal))})`;
      return no(`The value must be a whole number, between ${least} and ${most} inclusive${given}.`);
    },
  };
}

export type Bounds = { readonly most: number } & ({ readonly least: number } | { readonly above: number });

/** A number with or without a fraction; a string that is one will do. */
export function decimal(bounds: Bounds): ValueType<number> {
  const range =
    "least" in bounds
      ? `between ${bounds.least} and ${bounds.most} inclusive`
      : `above ${bounds.above} and at most ${bounds.most}`;
  return {
    name: "number",
    convert: (value) => {
      const given = toNumber(value);
      if (given === undefined) return no(`A number is needed; this is ${quoted(value)}.`);
      const amount = Number(formatDecimal(given));
      const enough = "least" in bounds ? amount >= bounds.least : amount > bounds.above;
      if (enough && amount <= bounds.most) return ok(amount);
      const shown = value.sensitive ? "" : ` (this is ${shortened(formatDecimal(given))})`;
      return no(`The value must be ${range}${shown}.`);
    },
  };
}

/** A string that must be one of a few. */
export function oneOf<T extends string>(...choices: readonly T[]): ValueType<T> {
  const list = choices.map((choice) => `"${choice}"`).join(", ");
  return refined(text, "string", (given) => {
    const choice = choices.find((one) => one === given);
    return choice === undefined ? no(`It must be one of ${list}.`) : ok(choice);
  });
}

/** A list whose items are all of one type. */
export function listOf<T>(item: ValueType<T>): ValueType<readonly T[]> {
  return {
    name: `list of ${item.name}s`,
    convert: (value, files) => {
      if (value.kind !== "tuple") return no(`A list is needed, such as [ … ]; this is ${kindName(value)}.`);
      const items: T[] = [];
      for (const [index, given] of value.items.entries()) {
        const result = item.convert(marked(given, value.sensitive), files);
        if (!result.ok) return no(`Item ${index + 1}: ${result.problem}`);
        items.push(result.value);
      }
      return ok(items);
    },
  };
}

/** One item, or a list of one or more, none of them twice: always a list. */
export function oneOrMore<T extends string>(item: ValueType<T>, each = item): ValueType<readonly T[]> {
  const list = refined(listOf(each), "list", (items) => {
    if (items.length === 0) return no("There must be at least one in the list.");
    const again = items.findIndex((one, index) => items.indexOf(one) < index);
    return again === -1 ? ok(items) : no(`Item ${again + 1}: It is in the list already.`);
  });
  const name = `${item.name} or list of ${item.name}s`;
  const one = refined(item, name, (value) => ok<readonly T[]>([value]));
  return { name, convert: (value, files) => (value.kind === "tuple" ? list : one).convert(value, files) };
}

/** An object whose values are all of one type, in the order of their keys. */
export function mapOf<T>(item: ValueType<T>): ValueType<ReadonlyMap<string, T>> {
  return {
    name: `map of ${item.name}s`,
    convert: (value, files) => {
      if (value.kind !== "object")
        return no(`A map is needed, such as { key = … }; this is ${kindName(value)}.`);
      const items = new Map<string, T>();
      for (const [key, given] of sortedEntries(value.entries)) {
        const result = item.convert(marked(given, value.sensitive), files);
        if (!result.ok) return no(`${value.sensitive ? "An item" : JSON.stringify(key)}: ${result.problem}`);
        items.set(key, result.value);
      }
      return ok(items);
    },
  };
}

/** A type whose values are read on from another's. */
export function refined<T, U>(
  base: ValueType<T>,
  name: string,
  refine: (value: T, files: ConfigFiles) => Conversion<U>,
): ValueType<U> {
  return {
    name,
    convert: (value, files) => {
      const plain = base.convert(value, files);
      return plain.ok ? refine(plain.value, files) : plain;
    },
  };
}

function quoted(value: Value): string {
  const content = value.kind === "string" && !value.sensitive ? value.value : undefined;
  return content === undefined ? kindName(value) : `the string ${JSON.stringify(shortened(content))}`;
}

function shortened(content: string): string {
  return content.length > 40 ? `${content.slice(0, 40)}…` : content;
}
