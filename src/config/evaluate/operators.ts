import type { BinaryOperator, UnaryOperator } from "../syntax/tree.ts";
import { calculate, compareDecimals, negate } from "./decimal.ts";
import { bool, equal, kindName, number, toBool, toNumber, UNKNOWN, type Value } from "./value.ts";

/** Why an operation cannot be done, and whose fault it is. */
export interface OperandProblem {
  readonly problem: string;
  readonly operand: "left" | "right" | "both";
}

export function applyUnary(operator: UnaryOperator, operand: Value): Value | OperandProblem {
  if (operator === "!") {
    const value = toBool(operand);
    return value === undefined ? wrong("left", operator, "a bool", operand) : bool(!value, operand.sensitive);
  }
  const value = toNumber(operand);
  return value === undefined
    ? wrong("left", operator, "a number", operand)
    : number(negate(value), operand.sensitive);
}

/** Both sides are known. `&&` and `||` look at both, as HCL does. */
export function applyBinary(operator: BinaryOperator, left: Value, right: Value): Value | OperandProblem {
  const sensitive = left.sensitive || right.sensitive;
  if (operator === "==") return bool(equal(left, right), sensitive);
  if (operator === "!=") return bool(!equal(left, right), sensitive);
  if (operator === "&&" || operator === "||") {
    const a = toBool(left);
    const b = toBool(right);
    if (a === undefined) return wrong("left", operator, "a bool", left);
    if (b === undefined) return wrong("right", operator, "a bool", right);
    return bool(operator === "&&" ? a && b : a || b, sensitive);
  }
  const a = toNumber(left);
  const b = toNumber(right);
  if (a === undefined) return wrong("left", operator, "a number", left);
  if (b === undefined) return wrong("right", operator, "a number", right);
  switch (operator) {
    case "<":
      return bool(compareDecimals(a, b) < 0, sensitive);
    case ">":
      return bool(compareDecimals(a, b) > 0, sensitive);
    case "<=":
      return bool(compareDecimals(a, b) <= 0, sensitive);
    case ">=":
      return bool(compareDecimals(a, b) >= 0, sensitive);
    case "+":
    case "-":
    case "*":
    case "/":
    case "%": {
      const result = calculate(operator, a, b);
      if (result !== undefined) return number(result, sensitive);
      const byZero = (operator === "/" || operator === "%") && b.coefficient === 0n;
      return { problem: byZero ? "Division by zero." : "The result has too many digits.", operand: "both" };
    }
  }
}

/** The value, or unknown after telling `report` what is wrong. */
export function settle(result: Value | OperandProblem, report: (problem: OperandProblem) => void): Value {
  if (!("problem" in result)) return result;
  report(result);
  return UNKNOWN;
}

function wrong(operand: "left" | "right", operator: string, needed: string, value: Value): OperandProblem {
  return { problem: `"${operator}" needs ${needed} here, and this is ${kindName(value)}.`, operand };
}
