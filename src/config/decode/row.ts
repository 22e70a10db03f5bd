import type { Span } from "../source.ts";
import type { ValueType } from "./value-type.ts";

/** One argument of a block: a row of its table. */
export interface ArgumentRow<T> {
  readonly kind: "argument";
  /** As the user writes it. */
  readonly name: string;
  readonly type: ValueType<unknown>;
  readonly required: boolean;
  /** Blocks and arguments beside it, one of which makes up for it when it is required. */
  readonly unless: readonly string[];
  /** What it is when it is absent or null. */
  readonly fallback: T;
  /** The default in words, for the manual. */
  readonly fallbackText: string | undefined;
  /** Its value and its source text are never shown. */
  readonly sensitive: boolean;
  /** One line for the manual: meaning, unit, interaction. */
  readonly doc: string;
}

/** A kind of block within a block. Its value is the list of them. */
export interface BlockRow<F extends Table> {
  readonly kind: "block";
  readonly name: string;
  readonly most: number;
  /** What its labels mean. */
  readonly labels: readonly string[];
  readonly table: F;
  readonly doc: string;
}

/** The arguments and blocks that a block may hold, by the names of the fields they become. */
export interface Table {
  readonly [field: string]: ArgumentRow<unknown> | BlockRow<Table>;
}

export type Decoded<F extends Table> = {
  readonly [K in keyof F]: F[K] extends ArgumentRow<infer T>
    ? T
    : F[K] extends BlockRow<infer G>
      ? readonly Section<G>[]
      : never;
};

/** A block that has been read in full. */
export interface Section<F extends Table> {
  readonly values: Decoded<F>;
  readonly labels: readonly string[];
  /** Where a field's value is written; the block's header when it is absent. */
  readonly span: (field: keyof F & string) => Span;
  readonly header: Span;
}

interface RowOptions {
  readonly sensitive?: boolean;
}

export function required<T>(
  name: string,
  type: ValueType<T>,
  doc: string,
  options: RowOptions = {},
): ArgumentRow<T> {
  // A required argument has no fallback: without it the block is not decoded at all.
  const fallback = undefined as T;
  return {
    kind: "argument",
    name,
    type,
    required: true,
    unless: [],
    fallback,
    fallbackText: undefined,
    sensitive: options.sensitive ?? false,
    doc,
  };
}

/** Required, unless one of these blocks and arguments stands beside it. */
export function requiredUnless<T>(
  unless: readonly string[],
  name: string,
  type: ValueType<T>,
  doc: string,
  options: RowOptions = {},
): ArgumentRow<T | undefined> {
  return { ...optional(name, type, doc, options), required: true, unless };
}

export function optional<T>(
  name: string,
  type: ValueType<T>,
  doc: string,
  options: RowOptions = {},
): ArgumentRow<T | undefined> {
  return {
    kind: "argument",
    name,
    type,
    required: false,
    unless: [],
    fallback: undefined,
    fallbackText: undefined,
    sensitive: options.sensitive ?? false,
    doc,
  };
}

export function defaulted<T>(
  name: string,
  type: ValueType<T>,
  fallback: T,
  fallbackText: string,
  doc: string,
): ArgumentRow<T> {
  return { ...optional(name, type, doc), fallback, fallbackText };
}

export function blocks<F extends Table>(
  name: string,
  table: F,
  doc: string,
  most = Number.POSITIVE_INFINITY,
  labels: readonly string[] = [],
): BlockRow<F> {
  return { kind: "block", name, most, labels, table, doc };
}

/** Every row of a table and of the tables in it. */
export function* allRows(table: Table): Generator<ArgumentRow<unknown> | BlockRow<Table>> {
  for (const row of Object.values(table)) {
    yield row;
    if (row.kind === "block") yield* allRows(row.table);
  }
}
