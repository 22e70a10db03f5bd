import { nearest } from "../../util/nearest.ts";
import type { Span } from "../source.ts";
import type { Expression, SplatStep } from "../syntax/tree.ts";
import { safeInteger } from "./decimal.ts";
import type { Evaluation } from "./evaluation.ts";
import type { Scope } from "./scope.ts";
import { kindName, marked, toNumber, toText, tuple, UNKNOWN, type Value } from "./value.ts";

export function referTo(
  on: Evaluation,
  { name, start, end }: Expression & { kind: "variable" },
  scope: Scope,
): Value {
  const value = scope.variables.get(name);
  if (value !== undefined) return value;
  if (scope.namespaces.has(name)) {
    return on.report(
      scope.source,
      { start, end },
      "Invalid reference",
      `"${name}" must be followed by a dot and a name.`,
    );
  }
  const known = nearest(name, [...scope.variables.keys(), ...scope.namespaces.keys()]);
  return on.report(
    scope.source,
    { start, end },
    "Invalid reference",
    `Nothing is named "${name}" here.${known ? ` Did you mean "${known}"?` : ""} Text must stand between double quotes (").`,
  );
}

export function attributeOf(
  on: Evaluation,
  expression: Expression & { kind: "attribute" },
  scope: Scope,
): Value {
  const { of, name } = expression;
  const namespace =
    of.kind === "variable" && !scope.variables.has(of.name) ? scope.namespaces.get(of.name) : undefined;
  if (namespace === undefined || of.kind !== "variable") {
    return memberOf(on, on.evaluate(of, scope), name, expression, scope);
  }
  const value = namespace.get(name);
  if (value !== undefined) return value;
  const known = nearest(name, namespace.names());
  const what = of.name === "var" ? `variable "${name}" {}` : `"${name}" in a locals block`;
  return on.report(
    scope.source,
    expression,
    `Reference to undeclared ${of.name === "var" ? "variable" : "local value"}`,
    `There is no ${what}.${known ? ` Did you mean "${known}"?` : ""}`,
  );
}

function memberOf(on: Evaluation, value: Value, name: string, span: Span, scope: Scope): Value {
  if (value.kind === "unknown") return UNKNOWN;
  const member = value.kind === "object" ? value.entries.get(name) : undefined;
  if (member !== undefined) return marked(member, value.sensitive);
  const detail =
    value.kind === "object"
      ? `This object has no attribute "${name}".`
      : `This is ${kindName(value)}, which has no attributes.`;
  return on.report(scope.source, span, "Unsupported attribute", detail);
}

export function indexOf(
  on: Evaluation,
  value: Value,
  keyExpression: Expression,
  span: Span,
  scope: Scope,
): Value {
  const key = on.evaluate(keyExpression, scope);
  if (value.kind === "unknown" || key.kind === "unknown") return UNKNOWN;
  const sensitive = value.sensitive || key.sensitive;
  if (value.kind === "tuple") {
    const decimal = toNumber(key);
    const item = decimal && value.items[safeInteger(decimal) ?? -1];
    if (item) return marked(item, sensitive);
    return on.report(
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
  return on.report(scope.source, value.kind === "object" ? keyExpression : span, "Invalid index", detail);
}

export function splatOf(on: Evaluation, expression: Expression & { kind: "splat" }, scope: Scope): Value {
  const value = on.evaluate(expression.of, scope);
  if (value.kind === "unknown") return UNKNOWN;
  // A value that is no list is a list of one, and null is the empty list.
  const items = value.kind === "tuple" ? value.items : value.kind === "null" ? [] : [value];
  const follow = (item: Value, step: SplatStep) =>
    step.kind === "attribute"
      ? memberOf(on, item, step.name, step, scope)
      : indexOf(on, item, step.key, step, scope);
  return tuple(
    items.map((item) => expression.steps.reduce(follow, item)),
    value.sensitive,
  );
}
