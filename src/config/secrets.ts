import { nearest } from "../util/nearest.ts";
import type { SourceText, Span } from "./source.ts";
import type {
  Attribute,
  Block,
  Body,
  BrokenItem,
  Expression,
  SyntaxTree,
  TemplatePart,
} from "./syntax/tree.ts";

const PRIVATE_KEY =
  /-----BEGIN [A-Z0-9 ]*PRIVATE KEY[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$(?![\s\S]))/g;
const LONG_RUN = /[A-Za-z0-9+/=|]{20,}/g;
const PUBLIC_KEY = /(?:ssh-|ecdsa-|sk-)[\w@.-]+[ \t]+$/;
const ENCODED_LINE = /^[\s"\\]*[A-Za-z0-9+/=|]{3,}[\s"\\]*$/;
const CLEAN_ITEM = /^\s*(?:[\w-]+\s+=\s|[\w-]+(?:\s+(?:"[^"]*"|[\w-]+))*\s*\{|\}\s*$)/;
/** Functions whose first argument names where a secret is, and is none itself. */
const NAMING = new Set(["env", "file", "templatefile"]);

/**
 * The lines (from 1) that may hold secrets and must never be shown: literal text of sensitive arguments and of what they
 * refer to, all of a sensitive argument that could not be read, and whatever looks like key material, wherever it is.
 */
export function secretLines(
  source: SourceText,
  tree: SyntaxTree | undefined,
  sensitive: ReadonlySet<string>,
): Set<number> {
  const lines = new Set<number>();
  const add = ({ start, end }: Span) => {
    for (let line = source.lineAt(start); line <= source.lineAt(Math.max(start, end - 1)); line++)
      lines.add(line);
  };
  for (const match of source.text.matchAll(PRIVATE_KEY))
    add({ start: match.index, end: match.index + match[0].length });
  addEncoded(source, lines);
  addCommentedOut(source, sensitive, lines);
  if (tree === undefined) return lines;
  for (const span of literalsOf(tree.body, sensitive)) add(span);
  for (const item of tree.broken) {
    if (!mayBeSensitive(source, item, sensitive)) continue;
    add(item);
    // Where a broken argument ends is a guess: what follows is shown again from the next line that is surely config.
    for (let line = source.lineAt(item.end) + 1; line <= source.lineCount; line++) {
      if (CLEAN_ITEM.test(source.slice(source.lineSpan(line)))) break;
      lines.add(line);
    }
  }
  return lines;
}

/** A misspelt name is as good as the right one here, and may stand behind whatever broke the line. */
function mayBeSensitive(source: SourceText, item: BrokenItem, sensitive: ReadonlySet<string>): boolean {
  const text = source.slice({ start: item.start, end: source.lineSpan(source.lineAt(item.end)).end });
  const [head = ""] = text.split("=", 1);
  const word = head.replace(/[^A-Za-z_]/g, "");
  return isLike(word, sensitive) || [...sensitive].some((name) => text.includes(name));
}

/** An argument that is commented out may still hold one. */
function addCommentedOut(source: SourceText, sensitive: ReadonlySet<string>, lines: Set<number>): void {
  const names = new RegExp([...sensitive].join("|"));
  for (let line = 1; line <= source.lineCount; line++) {
    const text = source.slice(source.lineSpan(line));
    const start = text.search(/#|\/\/|\/\*/);
    if (start !== -1 && names.test(text.slice(start, text.lastIndexOf("=") + 1))) lines.add(line);
  }
}

/** Long runs of Base64, and the shorter lines next to them, unless they are plainly a public key. */
function addEncoded(source: SourceText, lines: Set<number>): void {
  const found: number[] = [];
  for (const match of source.text.matchAll(LONG_RUN)) {
    const [run] = match;
    if (!/[a-z]/.test(run) || !/[A-Z]/.test(run) || !/[0-9]/.test(run)) continue;
    const line = source.lineAt(match.index);
    const before = source.text.slice(Math.max(source.lineSpan(line).start, match.index - 80), match.index);
    if (!PUBLIC_KEY.test(before)) found.push(line);
  }
  for (const line of found) {
    lines.add(line);
    for (const step of [-1, 1]) {
      for (let next = line + step; next >= 1 && next <= source.lineCount && !lines.has(next); next += step) {
        if (!ENCODED_LINE.test(source.slice(source.lineSpan(next)))) break;
        lines.add(next);
      }
    }
  }
}

function literalsOf(root: Body, sensitive: ReadonlySet<string>): Span[] {
  const literals: Span[] = [];
  const named = new Map<string, Attribute[]>();
  const queue: Attribute[] = [];
  const visit = (body: Body, block?: Block) => {
    for (const attribute of body.attributes) {
      if (isLike(attribute.name, sensitive)) queue.push(attribute);
      const name = referenceName(attribute, block);
      if (name !== undefined) named.set(name, [...(named.get(name) ?? []), attribute]);
    }
    for (const inner of body.blocks) visit(inner.body, inner);
  };
  visit(root);
  const seen = new Set<Attribute>();
  for (let attribute = queue.pop(); attribute; attribute = queue.pop()) {
    if (seen.has(attribute)) continue;
    seen.add(attribute);
    walk(attribute.expression, (expression) => {
      if (expression.kind === "template" && expression.parts.some((part) => part.kind === "text"))
        literals.push(expression);
      if (expression.kind !== "attribute" || expression.of.kind !== "variable") return;
      queue.push(...(named.get(`${expression.of.name}.${expression.name}`) ?? []));
    });
  }
  return literals;
}

/** A short name with two letters in the wrong order is not near by distance, and yet what was meant. */
function isLike(word: string, sensitive: ReadonlySet<string>): boolean {
  const sorted = (name: string) => [...name].sort().join("");
  return (
    nearest(word, sensitive) !== undefined || [...sensitive].some((name) => sorted(name) === sorted(word))
  );
}

/** How other arguments refer to this one: `local.x` and `var.x`. */
function referenceName(attribute: Attribute, block: Block | undefined): string | undefined {
  if (block?.type === "locals") return `local.${attribute.name}`;
  if (block?.type === "variable" && attribute.name === "default") return `var.${block.labels[0]?.value}`;
  return undefined;
}

/** Visits an expression and all it is made of, except the names of files and of environment variables. */
function walk(root: Expression, visit: (expression: Expression) => void): void {
  const queue = [root];
  for (let expression = queue.pop(); expression; expression = queue.pop()) {
    visit(expression);
    queue.push(...children(expression));
  }
}

function children(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case "template":
      return expression.parts.flatMap(partExpressions);
    case "parentheses":
      return [expression.inner];
    case "tuple":
      return expression.items;
    case "object":
      return expression.items.flatMap(({ key, value }) => (key.kind === "bare" ? [value] : [key, value]));
    case "call":
      return expression.arguments.slice(NAMING.has(expression.name) ? 1 : 0);
    case "for":
      return [expression.collection, expression.key, expression.value, expression.condition].filter(
        (one) => one !== undefined,
      );
    case "attribute":
      return [expression.of];
    case "index":
      return [expression.of, expression.key];
    case "splat":
      return [expression.of];
    case "unary":
      return [expression.operand];
    case "binary":
      return [expression.left, expression.right];
    case "conditional":
      return [expression.condition, expression.yes, expression.no];
    case "number":
    case "keyword":
    case "variable":
      return [];
  }
}

function partExpressions(part: TemplatePart): readonly Expression[] {
  switch (part.kind) {
    case "text":
      return [];
    case "interpolation":
      return [part.expression];
    case "if":
      return [part.condition, ...[...part.yes, ...part.no].flatMap(partExpressions)];
    case "forEach":
      return [part.collection, ...part.parts.flatMap(partExpressions)];
  }
}
