import type { Expression, Template, TemplatePart } from "../syntax/tree.ts";
import { conditionOf, type Evaluation, itemsOf, roundOf } from "./evaluation.ts";
import type { Scope } from "./scope.ts";
import { kindName, string, toText, UNKNOWN, type Value } from "./value.ts";

/** A template that is nothing but one `${…}` is that value; any other is text. */
export function templateOf(on: Evaluation, template: Template, scope: Scope): Value {
  const [only, more] = template.parts;
  if (only?.kind === "interpolation" && more === undefined) return on.evaluate(only.expression, scope);
  const output: Value[] = [];
  write(on, template.parts, scope, output);
  if (output.some((part) => part.kind === "unknown")) return UNKNOWN;
  const text = output.map((part) => (part.kind === "string" ? part.value : "")).join("");
  const sensitive = output.some((part) => part.sensitive);
  return string(text, sensitive);
}

function write(on: Evaluation, parts: readonly TemplatePart[], scope: Scope, output: Value[]): void {
  for (const part of parts) {
    if (on.exhausted) output.push(UNKNOWN);
    if (on.exhausted) return;
    switch (part.kind) {
      case "text":
        on.spend(part.value.length);
        output.push(string(part.value, on.isSecret(scope.source, part)));
        break;
      case "interpolation":
        output.push(interpolated(on, part.expression, scope));
        break;
      case "if": {
        const condition = conditionOf(on, part.condition, scope);
        output.push(condition ? string("", condition.sensitive) : UNKNOWN);
        if (condition) write(on, condition.value ? part.yes : part.no, scope, output);
        break;
      }
      case "forEach": {
        const found = itemsOf(on, part.collection, scope);
        output.push(found ? string("", found.sensitive) : UNKNOWN);
        for (const pair of found?.pairs ?? []) write(on, part.parts, roundOf(part, pair, scope), output);
        break;
      }
    }
  }
}

function interpolated(on: Evaluation, expression: Expression, scope: Scope): Value {
  const value = on.evaluate(expression, scope);
  if (value.kind === "unknown") return UNKNOWN;
  const text = toText(value);
  if (text === undefined) {
    const detail = `This is ${kindName(value)}, which cannot be put into text.`;
    return on.report(scope.source, expression, "Invalid template interpolation value", detail);
  }
  on.spend(text.length);
  return string(text, value.sensitive);
}
