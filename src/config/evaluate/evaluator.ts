import type { Findings } from "../diagnostic.ts";
import type { SourceText, Span } from "../source.ts";
import type { Call, Expression } from "../syntax/tree.ts";
import { attributeOf, indexOf, referTo, splatOf } from "./access.ts";
import { parseDecimal } from "./decimal.ts";
import { conditionOf, type Evaluation, keyOf } from "./evaluation.ts";
import { forOf } from "./for.ts";
import { applyBinary, applyUnary, settle } from "./operators.ts";
import type { Scope } from "./scope.ts";
import { templateOf } from "./template.ts";
import { bool, kindName, marked, NULL, number, object, string, tuple, UNKNOWN, type Value } from "./value.ts";

/** What calls a function; it reports what is wrong itself. */
export type CallFunction = (
  call: Call,
  values: readonly Value[],
  spans: readonly Span[],
  scope: Scope,
) => Value;

const MOST_STEPS = 1_000_000;
const MOST_TEXT = 64 * 1024 * 1024;
const DEEPEST_EVALUATION = 600;

/** Computes expressions. Never throws: a problem goes to the findings, and the value is then unknown. */
export class Evaluator implements Evaluation {
  readonly findings: Findings;
  readonly isSecret: (source: SourceText, span: Span) => boolean;
  readonly #call: CallFunction;
  #steps = 0;
  #text = 0;
  #depth = 0;
  #exhausted = false;

  /** Text that `isSecret` says stands in a place of secrets makes a sensitive value. */
  constructor(findings: Findings, call: CallFunction, isSecret: (source: SourceText, span: Span) => boolean) {
    this.findings = findings;
    this.isSecret = isSecret;
    this.#call = call;
  }

  get exhausted(): boolean {
    return this.#exhausted;
  }

  evaluate(expression: Expression, scope: Scope): Value {
    if (!this.#afford(expression, scope)) return UNKNOWN;
    this.#depth += 1;
    try {
      return this.#compute(expression, scope);
    } finally {
      this.#depth -= 1;
    }
  }

  report(source: SourceText, span: Span, summary: string, detail: string): Value {
    this.findings.error(source, span, summary, detail);
    return UNKNOWN;
  }

  spend(characters: number): void {
    this.#steps += 1;
    this.#text += characters;
  }

  /** A few lines of config can ask for more work and text than any machine has. */
  #afford(span: Span, scope: Scope): boolean {
    this.#steps += 1;
    const tooMuch = this.#steps > MOST_STEPS || this.#text > MOST_TEXT;
    if (!tooMuch && this.#depth < DEEPEST_EVALUATION) return true;
    if (!this.#exhausted) {
      this.report(
        scope.source,
        span,
        "Configuration too large to evaluate",
        "Expressions refer to each other too deeply, or make too many or too long values.",
      );
    }
    this.#exhausted = true;
    return false;
  }

  #compute(expression: Expression, scope: Scope): Value {
    const { source } = scope;
    switch (expression.kind) {
      case "number": {
        const value = parseDecimal(expression.text);
        return value
          ? number(value)
          : this.report(source, expression, "Invalid number", "This number has too many digits.");
      }
      case "keyword":
        return expression.value === null ? NULL : bool(expression.value);
      case "template":
        return templateOf(this, expression, scope);
      case "parentheses":
        return this.evaluate(expression.inner, scope);
      case "tuple":
        return tuple(expression.items.map((item) => this.evaluate(item, scope)));
      case "object":
        return this.#object(expression, scope);
      case "variable":
        return referTo(this, expression, scope);
      case "attribute":
        return attributeOf(this, expression, scope);
      case "index":
        return indexOf(this, this.evaluate(expression.of, scope), expression.key, expression, scope);
      case "splat":
        return splatOf(this, expression, scope);
      case "call":
        return this.#functionCall(expression, scope);
      case "for":
        return forOf(this, expression, scope);
      case "unary": {
        const operand = this.evaluate(expression.operand, scope);
        if (operand.kind === "unknown") return UNKNOWN;
        return settle(applyUnary(expression.operator, operand), ({ problem }) =>
          this.report(source, expression.operand, "Invalid operand", problem),
        );
      }
      case "binary": {
        const left = this.evaluate(expression.left, scope);
        const right = this.evaluate(expression.right, scope);
        if (left.kind === "unknown" || right.kind === "unknown") return UNKNOWN;
        return settle(applyBinary(expression.operator, left, right), ({ problem, operand }) =>
          this.report(
            source,
            operand === "both" ? expression : expression[operand],
            "Invalid operand",
            problem,
          ),
        );
      }
      case "conditional": {
        const condition = conditionOf(this, expression.condition, scope);
        if (condition === undefined) return UNKNOWN;
        const value = this.evaluate(condition.value ? expression.yes : expression.no, scope);
        return marked(value, condition.sensitive);
      }
    }
  }

  #object(expression: Expression & { kind: "object" }, scope: Scope): Value {
    const entries = new Map<string, Value>();
    let broken = false;
    for (const { key, value } of expression.items) {
      const name = key.kind === "bare" ? string(key.name) : this.evaluate(key, scope);
      const result = this.evaluate(value, scope);
      const text = keyOf(this, name, key, scope);
      if (text === undefined) broken = true;
      else entries.set(text, marked(result, name.sensitive));
    }
    return broken ? UNKNOWN : object(entries);
  }

  #functionCall(call: Call, scope: Scope): Value {
    const values = call.arguments.map((argument) => this.evaluate(argument, scope));
    const spans: Span[] = [...call.arguments];
    if (call.expandLast) {
      const last = values.pop() ?? UNKNOWN;
      const span = spans.pop() ?? call;
      if (last.kind === "unknown") return UNKNOWN;
      if (last.kind !== "tuple") {
        return this.report(
          scope.source,
          span,
          "Invalid expanding argument value",
          `Only a list can be followed by "..."; this is ${kindName(last)}.`,
        );
      }
      for (const item of last.items) {
        values.push(marked(item, last.sensitive));
        spans.push(span);
      }
    }
    return this.#call(call, values, spans, scope);
  }
}
