import type { SourceText, Span } from "../source.ts";
import type { Expression } from "../syntax/tree.ts";
import { extended, type Scope } from "./scope.ts";
import { kindName, pairsOf, toBool, toText, type Value } from "./value.ts";

/** What the parts of the evaluator ask of the whole. */
export interface Evaluation {
  /** The configuration asks for more than is reasonable: come to an end. */
  readonly exhausted: boolean;
  evaluate(expression: Expression, scope: Scope): Value;
  /** Tells a problem; the value is unknown then. */
  report(source: SourceText, span: Span, summary: string, detail: string): Value;
  /** Whether text that stands there must be kept secret. */
  isSecret(source: SourceText, span: Span): boolean;
  /** Counts the text that is made. */
  spend(characters: number): void;
}

/** Undefined when there is no answer, which has been reported. */
export function conditionOf(
  on: Evaluation,
  expression: Expression,
  scope: Scope,
): { readonly value: boolean; readonly sensitive: boolean } | undefined {
  const result = on.evaluate(expression, scope);
  if (result.kind === "unknown") return undefined;
  const value = toBool(result);
  if (value !== undefined) return { value, sensitive: result.sensitive };
  const detail = `A condition must be true or false; this is ${kindName(result)}.`;
  on.report(scope.source, expression, "Incorrect condition type", detail);
  return undefined;
}

export interface Items {
  readonly pairs: readonly (readonly [key: Value, item: Value])[];
  readonly sensitive: boolean;
}

/** What a `for` goes through; undefined when it is no collection, which has been reported. */
export function itemsOf(on: Evaluation, expression: Expression, scope: Scope): Items | undefined {
  const collection = on.evaluate(expression, scope);
  if (collection.kind === "unknown") return undefined;
  const pairs = pairsOf(collection);
  if (pairs) return { pairs, sensitive: collection.sensitive };
  const detail = `This is ${kindName(collection)}, not a list or an object.`;
  on.report(scope.source, expression, "Iteration over non-iterable value", detail);
  return undefined;
}

/** A value as the key of an object; undefined when it cannot be one, which has been reported. */
export function keyOf(on: Evaluation, key: Value, span: Span, scope: Scope): string | undefined {
  const text = toText(key);
  if (text === undefined && key.kind !== "unknown") {
    const detail = `A key must be a string; this is ${kindName(key)}.`;
    on.report(scope.source, span, "Incorrect key type", detail);
  }
  return text;
}

export interface LoopNames {
  readonly keyName: string | undefined;
  readonly valueName: string;
}

/** The scope of one round of a `for`. */
export function roundOf(
  { keyName, valueName }: LoopNames,
  [key, item]: Items["pairs"][number],
  scope: Scope,
): Scope {
  const value = [valueName, item] as const;
  return keyName === undefined ? extended(scope, value) : extended(scope, [keyName, key], value);
}
