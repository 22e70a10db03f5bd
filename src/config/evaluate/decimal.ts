/** An exact decimal number: `coefficient × 10^exponent`, as HCL's numbers, which know no rounding of 0.1 either. */
export interface Decimal {
  readonly coefficient: bigint;
  readonly exponent: number;
}

const LITERAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;
/** Beyond this a number is not a measure of anything, and writing it out would fill the memory. */
const MOST_DIGITS = 4096;
const DIVISION_DIGITS = 40;

/** Undefined for text that is no number, or one of more than 4096 digits. */
export function parseDecimal(text: string): Decimal | undefined {
  if (text.length > MOST_DIGITS) return undefined;
  const match = LITERAL.exec(text);
  const [, sign = "", whole = "", fraction = "", power = "0"] = match ?? [];
  if (match === null || whole + fraction === "") return undefined;
  return normal(BigInt(`${sign === "-" ? "-" : ""}${whole}${fraction}`), Number(power) - fraction.length);
}

/** Written out in full, as HCL converts numbers to strings: `22`, `0.5`, never `1e3`. */
export function formatDecimal({ coefficient, exponent }: Decimal): string {
  if (exponent >= 0) return String(coefficient * 10n ** BigInt(exponent));
  const sign = coefficient < 0n ? "-" : "";
  const digits = String(coefficient < 0n ? -coefficient : coefficient).padStart(1 - exponent, "0");
  return `${sign}${digits.slice(0, exponent)}.${digits.slice(exponent)}`;
}

/** The number as JavaScript has it; undefined when it is not whole or not exact. */
export function safeInteger({ coefficient, exponent }: Decimal): number | undefined {
  if (exponent < 0) return undefined;
  const value = Number(coefficient * 10n ** BigInt(exponent));
  return Number.isSafeInteger(value) ? value : undefined;
}

export function compareDecimals(a: Decimal, b: Decimal): number {
  const [x, y] = aligned(a, b);
  return x < y ? -1 : x > y ? 1 : 0;
}

export function negate({ coefficient, exponent }: Decimal): Decimal {
  return { coefficient: -coefficient, exponent };
}

/** Undefined when the result has no meaning (division by zero) or too many digits. */
export function calculate(
  operator: "+" | "-" | "*" | "/" | "%",
  a: Decimal,
  b: Decimal,
): Decimal | undefined {
  if (operator === "*") return normal(a.coefficient * b.coefficient, a.exponent + b.exponent);
  const [x, y, exponent] = aligned(a, b);
  if (operator === "+") return normal(x + y, exponent);
  if (operator === "-") return normal(x - y, exponent);
  if (y === 0n) return undefined;
  if (operator === "%") return normal(x % y, exponent);
  return normal((x * 10n ** BigInt(DIVISION_DIGITS)) / y, -DIVISION_DIGITS);
}

function aligned(a: Decimal, b: Decimal): [bigint, bigint, number] {
  const exponent = Math.min(a.exponent, b.exponent);
  const scaled = (value: Decimal) => value.coefficient * 10n ** BigInt(value.exponent - exponent);
  return [scaled(a), scaled(b), exponent];
}

function normal(coefficient: bigint, exponent: number): Decimal | undefined {
  if (coefficient === 0n) return { coefficient: 0n, exponent: 0 };
  const digits = String(coefficient);
  if (digits.length + Math.abs(exponent) > MOST_DIGITS) return undefined;
  const zeros = /0*$/.exec(digits)?.[0].length ?? 0;
  return { coefficient: BigInt(digits.slice(0, digits.length - zeros)), exponent: exponent + zeros };
}
