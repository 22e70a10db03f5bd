import { nearest } from "../../util/nearest.ts";
import type { Evaluator } from "../evaluate/evaluator.ts";
import type { Scope } from "../evaluate/scope.ts";
import { containsUnknown } from "../evaluate/value.ts";
import type { ConfigFiles } from "../files.ts";
import type { Span } from "../source.ts";
import type { Attribute, Block, BrokenItem } from "../syntax/tree.ts";
import type { ArgumentRow, BlockRow, Decoded, Section, Table } from "./row.ts";

/** Reads blocks against tables, telling everything that does not fit. */
export class Decoder {
  readonly #evaluator: Evaluator;
  readonly #scope: Scope;
  readonly #broken: readonly BrokenItem[];
  readonly #files: ConfigFiles;
  /** Values that are not known, for reasons that were told where they were first met: in a local, say, or a variable. */
  #unknown = 0;

  constructor(evaluator: Evaluator, scope: Scope, broken: readonly BrokenItem[], files: ConfigFiles) {
    this.#evaluator = evaluator;
    this.#scope = scope;
    this.#broken = broken;
    this.#files = files;
  }

  error(span: Span, summary: string, detail: string): void {
    this.#evaluator.findings.error(this.#scope.source, span, summary, detail);
  }

  warning(span: Span, summary: string, detail: string): void {
    this.#evaluator.findings.warning(this.#scope.source, span, summary, detail);
  }

  /** What the action finds wrong stands in nobody's way: see {@link Findings.tolerating}. */
  tolerating<T>(words: string, action: () => T): T {
    return this.#evaluator.findings.tolerating(words, action);
  }

  /** Undefined when anything in the block is wrong. */
  decode<F extends Table>(block: Block, table: F): Section<F> | undefined {
    const before = this.#evaluator.findings.errorCount + this.#unknown;
    this.#unsupported(block, table);
    const values: Record<string, unknown> = {};
    const spans: Record<string, Span> = {};
    for (const [field, row] of Object.entries(table)) {
      if (row.kind === "block") {
        values[field] = this.#blocks(block, row);
        continue;
      }
      const attribute = block.body.attributes.find(({ name }) => name === row.name);
      values[field] = this.#argument(block, row, attribute, table);
      if (attribute) spans[field] = attribute.expression;
    }
    const after = this.#evaluator.findings.errorCount + this.#unknown;
    if (after > before || this.#isBroken(block)) return undefined;
    const header = headerOf(block);
    // The loop above has filled in each field from its own row.
    const labels = block.labels.map(({ value }) => value);
    return { values: values as Decoded<F>, labels, span: (field) => spans[field] ?? header, header };
  }

  #argument(
    block: Block,
    row: ArgumentRow<unknown>,
    attribute: Attribute | undefined,
    table: Table,
  ): unknown {
    if (attribute === undefined) return this.#absent(block, row, table);
    const value = this.#evaluator.evaluate(attribute.expression, this.#scope);
    if (containsUnknown(value)) {
      this.#unknown += 1;
      return undefined;
    }
    if (value.kind === "null") return this.#absent(block, row, table, attribute.expression);
    const result = row.type.convert(row.sensitive ? { ...value, sensitive: true } : value, this.#files);
    if (!result.ok) {
      this.error(
        attribute.expression,
        "Incorrect attribute value type",
        `Inappropriate value for "${row.name}". ${result.problem}`,
      );
      return undefined;
    }
    if (result.warning) this.warning(attribute.expression, "Part of the value is not used", result.warning);
    for (const { summary, detail } of result.remarks ?? [])
      this.warning(attribute.expression, summary, detail);
    return result.value;
  }

  #absent(block: Block, row: ArgumentRow<unknown>, table: Table, isNull?: Span): unknown {
    const { attributes, blocks } = block.body;
    const others = Object.values(table).filter(({ name }) => row.unless.includes(name));
    const isThere = ({ kind, name }: Table[string]): boolean =>
      kind === "block"
        ? blocks.some(({ type }) => type === name)
        : attributes.some((one) => one.name === name);
    if (!row.required || others.some(isThere)) return row.fallback;
    // An argument that was written, but could not be read, has been reported already.
    const broken = this.#broken.some(
      ({ name = "", start }) =>
        [row.name, ...row.unless].includes(name) && block.start <= start && start < block.end,
    );
    if (broken) return undefined;
    const other = others
      .map(({ kind, name }) => (kind === "block" ? ` or a block "${name}"` : ` or "${name}"`))
      .join("");
    const detail = isNull
      ? `The argument "${row.name}"${other} is required, but its value is null.`
      : `The argument "${row.name}"${other} is required, but no definition was found.`;
    this.error(isNull ?? block.openBrace, "Missing required argument", detail);
    return undefined;
  }

  #blocks(block: Block, row: BlockRow<Table>): readonly Section<Table>[] {
    const sections: Section<Table>[] = [];
    const found = block.body.blocks.filter(({ type }) => type === row.name);
    for (const [index, inner] of found.entries()) {
      const first = found[0];
      if (index >= row.most && first) {
        const line = this.#scope.source.lineAt(first.start);
        const times = row.most === 1 ? "one" : String(row.most);
        this.error(
          inner.typeSpan,
          `Too many ${row.name} blocks`,
          `Only ${times} "${row.name}" block is allowed; the first is on line ${line}.`,
        );
        continue;
      }
      if (!this.labels(inner, row.labels)) continue;
      const section = this.decode(inner, row.table);
      if (section) sections.push(section);
    }
    return sections;
  }

  /** Whether a block has as many labels as it must. `names` say what each of them means. */
  labels(block: Block, names: readonly string[]): boolean {
    const missing = names[block.labels.length];
    const extra = block.labels[names.length];
    const wanted = names.length === 0 ? "no labels" : `${names.length} labels (${names.join(", ")})`;
    if (missing) {
      this.error(
        block.openBrace,
        `Missing ${missing} for ${block.type}`,
        `A "${block.type}" block has ${wanted}.`,
      );
    }
    if (extra)
      this.error(extra, `Extraneous label for ${block.type}`, `A "${block.type}" block has ${wanted}.`);
    return !missing && !extra;
  }

  #unsupported({ body }: Block, table: Table): void {
    const rows = Object.values(table);
    const names = (kind: "argument" | "block") =>
      rows.filter((row) => row.kind === kind).map(({ name }) => name);
    const [argumentNames, blockNames] = [names("argument"), names("block")];
    for (const { name, nameSpan } of body.attributes) {
      if (argumentNames.includes(name)) continue;
      const hint = blockNames.includes(name)
        ? `Did you mean to define a block of type "${name}"? Then leave out the equals sign.`
        : didYouMean(name, argumentNames);
      this.error(
        nameSpan,
        "Unsupported argument",
        `An argument named "${name}" is not expected here.${hint && ` ${hint}`}`,
      );
    }
    for (const { type, typeSpan } of body.blocks) {
      if (blockNames.includes(type)) continue;
      const hint = argumentNames.includes(type)
        ? `Did you mean to set the argument "${type}"? Then write an equals sign after its name.`
        : didYouMean(type, blockNames);
      this.error(
        typeSpan,
        "Unsupported block type",
        `Blocks of type "${type}" are not expected here.${hint && ` ${hint}`}`,
      );
    }
  }

  #isBroken(block: Block): boolean {
    return this.#broken.some(({ start }) => block.start <= start && start < block.end);
  }
}

/** A hint, or "". */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const known = nearest(word, candidates);
  return known === undefined ? "" : `Did you mean "${known}"?`;
}

export function headerOf(block: Block): Span {
  return { start: block.start, end: block.labels.at(-1)?.end ?? block.typeSpan.end };
}
