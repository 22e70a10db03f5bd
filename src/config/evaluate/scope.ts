import type { SourceText } from "../source.ts";
import type { Value } from "./value.ts";

/** Values that are computed when first asked for: `local.…` and `var.…`. */
export interface Namespace {
  get(name: string): Value | undefined;
  names(): Iterable<string>;
}

/** What names mean where an expression stands. */
export interface Scope {
  /** The text the expression was read from. */
  readonly source: SourceText;
  readonly variables: ReadonlyMap<string, Value>;
  readonly namespaces: ReadonlyMap<string, Namespace>;
  /** Within what `templatefile` reads. */
  readonly isTemplateFile: boolean;
}

export function extended(scope: Scope, ...more: readonly (readonly [string, Value])[]): Scope {
  return { ...scope, variables: new Map([...scope.variables, ...more]) };
}
