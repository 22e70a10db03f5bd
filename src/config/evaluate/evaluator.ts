import { nearest } from "../../util/nearest.ts";
import type { Findings } from "../diagnostic.ts";
import type { SourceText, Span } from "../source.ts";
import type { Call, Expression, For, SplatStep, Template, TemplatePart } from "../syntax/tree.ts";
import { parseDecimal, safeInteger } from "./decimal.ts";
import { applyBinary, applyUnary, settle } from "./operators.ts";
import { extended, type Scope } from "./scope.ts";
import {
  bool,
  itemsOf,
  kindName,
  marked,
  NULL,
  number,
  object,
  string,
  toBool,
  toNumber,
  toText,
  tuple,
  UNKNOWN,
  type Value,
} from "./value.ts";

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
export class Evaluator {
  readonly findings: Findings;
  readonly #call: CallFunction;
  readonly #isSecret: (source: SourceText, span: Span) => boolean;
  #steps = 0;
  #text = 0;
  #depth = 0;
  #exhausted = false;

  /** Text that `isSecret` says stands in a place of secrets makes a sensitive value. */
  constructor(findings: Findings, call: CallFunction, isSecret: (source: SourceText, span: Span) => boolean) {
    this.findings = findings;
    this.#call = call;
    this.#isSecret = isSecret;
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
        return this.template(expression, scope);
      case "parentheses":
        return this.evaluate(expression.inner, scope);
      case "tuple":
        return tuple(expression.items.map((item) => this.evaluate(item, scope)));
      case "object":
        return this.#object(expression, scope);
      case "variable":
        return this.#variable(expression, scope);
      case "attribute":
        return this.#attribute(expression, scope);
      case "index":
        return this.#index(this.evaluate(expression.of, scope), expression.key, expression, scope);
      case "splat":
        return this.#splat(expression, scope);
      case "call":
        return this.#functionCall(expression, scope);
      case "for":
        return this.#for(expression, scope);
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
        const condition = this.#condition(expression.condition, scope);
        if (condition === undefined) return UNKNOWN;
        const value = this.evaluate(condition.value ? expression.yes : expression.no, scope);
        return marked(value, condition.sensitive);
      }
    }
  }

  #condition(expression: Expression, scope: Scope): { value: boolean; sensitive: boolean } | undefined {
    const result = this.evaluate(expression, scope);
    if (result.kind === "unknown") return undefined;
    const value = toBool(result);
    if (value !== undefined) return { value, sensitive: result.sensitive };
    this.report(
      scope.source,
      expression,
      "Incorrect condition type",
      `A condition must be true or false; this is ${kindName(result)}.`,
    );
    return undefined;
  }

  #variable({ name, start, end }: Expression & { kind: "variable" }, scope: Scope): Value {
    const value = scope.variables.get(name);
    if (value !== undefined) return value;
    if (scope.namespaces.has(name)) {
      return this.report(
        scope.source,
        { start, end },
        "Invalid reference",
        `"${name}" must be followed by a dot and a name.`,
      );
    }
    const known = nearest(name, [...scope.variables.keys(), ...scope.namespaces.keys()]);
    return this.report(
      scope.source,
      { start, end },
      "Invalid reference",
      `Nothing is named "${name}" here.${known ? ` Did you mean "${known}"?` : ""} Text must stand between double quotes (").`,
    );
  }

  #attribute(expression: Expression & { kind: "attribute" }, scope: Scope): Value {
    const { of, name } = expression;
    const namespace =
      of.kind === "variable" && !scope.variables.has(of.name) ? scope.namespaces.get(of.name) : undefined;
    if (namespace === undefined || of.kind !== "variable") {
      return this.#member(this.evaluate(of, scope), name, expression, scope);
    }
    const value = namespace.get(name);
    if (value !== undefined) return value;
    const known = nearest(name, namespace.names());
    const what = of.name === "var" ? `variable "${name}" {}` : `"${name}" in a locals block`;
    return this.report(
      scope.source,
      expression,
      `Reference to undeclared ${of.name === "var" ? "variable" : "local value"}`,
      `There is no ${what}.${known ? ` Did you mean "${known}"?` : ""}`,
    );
  }

  #member(value: Value, name: string, span: Span, scope: Scope): Value {
    if (value.kind === "unknown") return UNKNOWN;
    const member = value.kind === "object" ? value.entries.get(name) : undefined;
    if (member !== undefined) return marked(member, value.sensitive);
    const detail =
      value.kind === "object"
        ? `This object has no attribute "${name}".`
        : `This is ${kindName(value)}, which has no attributes.`;
    return this.report(scope.source, span, "Unsupported attribute", detail);
  }

  #index(value: Value, keyExpression: Expression, span: Span, scope: Scope): Value {
    const key = this.evaluate(keyExpression, scope);
    if (value.kind === "unknown" || key.kind === "unknown") return UNKNOWN;
    const sensitive = value.sensitive || key.sensitive;
    if (value.kind === "tuple") {
      const decimal = toNumber(key);
      const item = decimal && value.items[safeInteger(decimal) ?? -1];
      if (item) return marked(item, sensitive);
      return this.report(
        scope.source,
        keyExpression,
        "Invalid index",
        `This list has ${value.items.length} items, numbered from 0.`,
      );
    }
    const text = toText(key);
    const item = value.kind === "object" && text !== undefined ? value.entries.get(text) : undefined;
    if (item) return marked(item, sensitive);
    const detail =
      value.kind === "object"
        ? "This object has no such key."
        : `This is ${kindName(value)}, which has no items.`;
    return this.report(scope.source, value.kind === "object" ? keyExpression : span, "Invalid index", detail);
  }

  #splat(expression: Expression & { kind: "splat" }, scope: Scope): Value {
    const value = this.evaluate(expression.of, scope);
    if (value.kind === "unknown") return UNKNOWN;
    // A value that is no list is a list of one, and null is the empty list.
    const items = value.kind === "tuple" ? value.items : value.kind === "null" ? [] : [value];
    const follow = (item: Value, step: SplatStep) =>
      step.kind === "attribute"
        ? this.#member(item, step.name, step, scope)
        : this.#index(item, step.key, step, scope);
    return tuple(
      items.map((item) => expression.steps.reduce(follow, item)),
      value.sensitive,
    );
  }

  #object(expression: Expression & { kind: "object" }, scope: Scope): Value {
    const entries = new Map<string, Value>();
    let broken = false;
    for (const { key, value } of expression.items) {
      const name = key.kind === "bare" ? string(key.name) : this.evaluate(key, scope);
      const result = this.evaluate(value, scope);
      const text = this.#keyText(name, key, scope);
      if (text === undefined) broken = true;
      else entries.set(text, marked(result, name.sensitive));
    }
    return broken ? UNKNOWN : object(entries);
  }

  #keyText(key: Value, span: Span, scope: Scope): string | undefined {
    const text = toText(key);
    if (text === undefined && key.kind !== "unknown") {
      this.report(
        scope.source,
        span,
        "Incorrect key type",
        `A key must be a string; this is ${kindName(key)}.`,
      );
    }
    return text;
  }

  #for(expression: For, scope: Scope): Value {
    const found = this.#items(expression.collection, scope);
    if (found === undefined) return UNKNOWN;
    const values: Value[] = [];
    const groups = new Map<string, Value[]>();
    for (const [key, item] of found.items) {
      const inner = this.#bind(expression, key, item, scope);
      const wanted = expression.condition ? this.#condition(expression.condition, inner) : { value: true };
      if (wanted === undefined || this.#exhausted) return UNKNOWN;
      if (!wanted.value) continue;
      const value = this.evaluate(expression.value, inner);
      if (expression.key === undefined) {
        values.push(value);
        continue;
      }
      const name = this.#keyText(this.evaluate(expression.key, inner), expression.key, inner);
      if (name === undefined) return UNKNOWN;
      const group = groups.get(name);
      if (group === undefined) groups.set(name, [value]);
      else if (expression.group) group.push(value);
      else {
        const detail =
          'Two items have the same key. With "..." after the value such items are gathered in lists.';
        return this.report(scope.source, expression.key, "Duplicate object key", detail);
      }
    }
    if (expression.key === undefined) return tuple(values, found.sensitive);
    const entries = [...groups].map(
      ([name, group]) => [name, expression.group ? tuple(group) : (group[0] ?? NULL)] as const,
    );
    return object(new Map(entries), found.sensitive);
  }

  #items(expression: Expression, scope: Scope) {
    const collection = this.evaluate(expression, scope);
    if (collection.kind === "unknown") return undefined;
    const items = itemsOf(collection);
    if (items) return { items, sensitive: collection.sensitive };
    this.report(
      scope.source,
      expression,
      "Iteration over non-iterable value",
      `This is ${kindName(collection)}, not a list or an object.`,
    );
    return undefined;
  }

  #bind(
    names: { keyName: string | undefined; valueName: string },
    key: Value,
    item: Value,
    scope: Scope,
  ): Scope {
    const value = [names.valueName, item] as const;
    return names.keyName === undefined
      ? extended(scope, value)
      : extended(scope, [names.keyName, key], value);
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

  /** A template that is nothing but one `${…}` is that value; any other is text. */
  template(template: Template, scope: Scope): Value {
    const [only] = template.parts;
    if (template.parts.length === 1 && only?.kind === "interpolation")
      return this.evaluate(only.expression, scope);
    const output: Value[] = [];
    this.#parts(template.parts, scope, output);
    if (output.some((part) => part.kind === "unknown")) return UNKNOWN;
    const text = output.map((part) => (part.kind === "string" ? part.value : "")).join("");
    return string(
      text,
      output.some((part) => part.sensitive),
    );
  }

  #parts(parts: readonly TemplatePart[], scope: Scope, output: Value[]): void {
    for (const part of parts) {
      if (this.#exhausted) output.push(UNKNOWN);
      if (this.#exhausted) return;
      if (part.kind === "text") {
        this.#write(string(part.value, this.#isSecret(scope.source, part)), output);
      } else if (part.kind === "interpolation")
        this.#write(this.#interpolated(part.expression, scope), output);
      else if (part.kind === "if") {
        const condition = this.#condition(part.condition, scope);
        if (condition === undefined) output.push(UNKNOWN);
        else {
          output.push(string("", condition.sensitive));
          this.#parts(condition.value ? part.yes : part.no, scope, output);
        }
      } else {
        const found = this.#items(part.collection, scope);
        if (found === undefined) output.push(UNKNOWN);
        else output.push(string("", found.sensitive));
        for (const [key, item] of found?.items ?? [])
          this.#parts(part.parts, this.#bind(part, key, item, scope), output);
      }
    }
  }

  #interpolated(expression: Expression, scope: Scope): Value {
    const value = this.evaluate(expression, scope);
    if (value.kind === "unknown") return UNKNOWN;
    const text = toText(value);
    if (text !== undefined) return string(text, value.sensitive);
    return this.report(
      scope.source,
      expression,
      "Invalid template interpolation value",
      `This is ${kindName(value)}, which cannot be put into text.`,
    );
  }

  #write(value: Value, output: Value[]): void {
    this.#steps += 1;
    if (value.kind === "string") this.#text += value.value.length;
    output.push(value);
  }
}
