import type { For } from "../syntax/tree.ts";
import { conditionOf, type Evaluation, itemsOf, keyOf, roundOf } from "./evaluation.ts";
import type { Scope } from "./scope.ts";
import { NULL, object, tuple, UNKNOWN, type Value } from "./value.ts";

export function forOf(on: Evaluation, expression: For, scope: Scope): Value {
  const found = itemsOf(on, expression.collection, scope);
  if (found === undefined) return UNKNOWN;
  const values: Value[] = [];
  const groups = new Map<string, Value[]>();
  for (const pair of found.pairs) {
    const inner = roundOf(expression, pair, scope);
    const wanted = expression.condition ? conditionOf(on, expression.condition, inner) : { value: true };
    if (wanted === undefined || on.exhausted) return UNKNOWN;
    if (!wanted.value) continue;
    const value = on.evaluate(expression.value, inner);
    if (expression.key === undefined) {
      values.push(value);
      continue;
    }
    const name = keyOf(on, on.evaluate(expression.key, inner), expression.key, inner);
    if (name === undefined) return UNKNOWN;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [value]);
    else if (expression.group) group.push(value);
    else {
      const detail =
        'Two items have the same key. With "..." after the value such items are gathered in lists.';
      return on.report(scope.source, expression.key, "Duplicate object key", detail);
    }
  }
  if (expression.key === undefined) return tuple(values, found.sensitive);
  const entries = [...groups].map(
    ([name, group]) => [name, expression.group ? tuple(group) : (group[0] ?? NULL)] as const,
  );
  return object(new Map(entries), found.sensitive);
}
