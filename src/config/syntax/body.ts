import type { Findings } from "../diagnostic.ts";
import type { SourceText } from "../source.ts";
import { Cursor, SyntaxFailure } from "./cursor.ts";
import { parseExpression } from "./expression.ts";
import { tokenize } from "./lexer.ts";
import { parseQuoted, parseTemplateFile } from "./template.ts";
import type { Token } from "./token.ts";
import type { Attribute, Block, Body, BrokenItem, Label, SyntaxTree, Template } from "./tree.ts";

/** Reads a configuration file. What is wrong with it goes to `findings`; the tree holds everything that could be read. */
export function parseSource(source: SourceText, findings: Findings): SyntaxTree {
  const cursor = new Cursor(source, tokenize(source.text), findings, parseExpression);
  const broken: BrokenItem[] = [];
  const body = new BodyParser(cursor, broken).parse(undefined);
  return { source, body, broken };
}

/** Reads a file that is one template; undefined when it is broken. */
export function parseTemplateSource(source: SourceText, findings: Findings): Template | undefined {
  try {
    return parseTemplateFile(
      new Cursor(source, tokenize(source.text, "template"), findings, parseExpression),
    );
  } catch (error) {
    if (error instanceof SyntaxFailure) return undefined;
    throw error;
  }
}

class BodyParser {
  readonly #cursor: Cursor;
  readonly #broken: BrokenItem[];

  constructor(cursor: Cursor, broken: BrokenItem[]) {
    this.#cursor = cursor;
    this.#broken = broken;
  }

  /** Reads items until the file ends or, in a block, its closing brace comes; the brace is left to the caller. */
  parse(openBrace: Token | undefined): Body {
    const cursor = this.#cursor;
    const start = openBrace?.start ?? 0;
    const attributes = new Map<string, Attribute>();
    const blocks: Block[] = [];
    for (;;) {
      while (cursor.take("newline"));
      const token = cursor.peek();
      if (token.kind === "end" || cursor.findings.full || (token.kind === "}" && openBrace)) {
        return { start, end: token.end, attributes: [...attributes.values()], blocks };
      }
      this.#item(attributes, blocks);
    }
  }

  #item(attributes: Map<string, Attribute>, blocks: Block[]): void {
    const cursor = this.#cursor;
    const first = cursor.index;
    try {
      const item = this.#attributeOrBlock();
      if (isAttribute(item)) this.#add(item, attributes);
      else blocks.push(item);
      this.#endOfItem(item);
    } catch (error) {
      if (!(error instanceof SyntaxFailure)) throw error;
      const token = cursor.raw(first);
      recover(cursor, first);
      const name = token.kind === "identifier" ? cursor.text(token) : undefined;
      this.#broken.push({ start: token.start, end: cursor.raw().start, name });
    }
  }

  #add(item: Attribute, attributes: Map<string, Attribute>): void {
    const { source, findings } = this.#cursor;
    const earlier = attributes.get(item.name);
    if (earlier === undefined) attributes.set(item.name, item);
    else {
      const line = source.lineAt(earlier.start);
      findings.error(
        source,
        item.nameSpan,
        "Attribute redefined",
        `The argument "${item.name}" was already set on line ${line}. Each argument may be set only once.`,
      );
    }
  }

  #attributeOrBlock(): Attribute | Block {
    const cursor = this.#cursor;
    const name = cursor.peek();
    if (name.kind === "quote") {
      cursor.fail(name, "Invalid argument name", "Names of arguments and blocks are written without quotes.");
    }
    if (name.kind !== "identifier") {
      cursor.unexpected(
        name,
        "Argument or block definition required",
        "An argument or a block is expected here.",
      );
    }
    cursor.read();
    if (cursor.at("=")) return this.#attribute(name);
    if (cursor.at("quote", "identifier", "{")) return this.#block(name);
    return cursor.unexpected(
      cursor.at("invalid", "brokenComment") ? cursor.peek() : name,
      "Argument or block definition required",
      'An argument or a block is expected here. To set an argument, write an equals sign ("=") between its name and its value.',
    );
  }

  #attribute(nameToken: Token): Attribute {
    const cursor = this.#cursor;
    cursor.read();
    const expression = cursor.expression();
    const { start, end } = nameToken;
    return { start, end: expression.end, name: cursor.text(nameToken), nameSpan: { start, end }, expression };
  }

  #block(typeToken: Token): Block {
    const cursor = this.#cursor;
    const labels: Label[] = [];
    while (!cursor.at("{")) labels.push(this.#label());
    const openBrace = cursor.read();
    const { start, end } = typeToken;
    const header = { type: cursor.text(typeToken), typeSpan: { start, end }, labels, openBrace };
    const body = cursor.nested(() =>
      cursor.at("newline", "}") ? this.parse(openBrace) : this.#singleLine(openBrace),
    );
    const brace = cursor.take("}");
    if (brace === undefined && !cursor.findings.full) {
      cursor.fail(
        openBrace,
        "Unclosed configuration block",
        `This "${header.type}" block has no closing brace ("}") before the end of the file; or the braces of something in it do not match.`,
      );
    }
    return { start, end: brace?.end ?? body.end, ...header, body };
  }

  #label(): Label {
    const cursor = this.#cursor;
    const token = cursor.peek();
    if (token.kind === "identifier") {
      cursor.read();
      return { start: token.start, end: token.end, value: cursor.text(token) };
    }
    if (token.kind === "quote") {
      return this.#quotedLabel();
    }
    if (token.kind === "=") {
      cursor.fail(token, "Invalid block definition", "A block has no equals sign; only arguments have.");
    }
    if (token.kind === "newline" || token.kind === "end") {
      cursor.fail(
        token,
        "Invalid block definition",
        'The opening brace ("{") of a block must stand on the line of its name.',
      );
    }
    return cursor.unexpected(
      token,
      "Invalid block definition",
      'A label in double quotes or an opening brace ("{") is expected here.',
    );
  }

  #quotedLabel(): Label {
    const cursor = this.#cursor;
    const template = parseQuoted(cursor);
    const { start, end } = template;
    const [part, more] = template.parts;
    if (part === undefined) return { start, end, value: "" };
    if (part.kind === "text" && more === undefined) return { start, end, value: part.value };
    return cursor.fail(
      template,
      "Invalid block definition",
      "The label of a block must be plain text: nothing is computed in it.",
    );
  }

  /** `block { name = value }` */
  #singleLine(openBrace: Token): Body {
    const cursor = this.#cursor;
    const item = this.#attributeOrBlock();
    if (!isAttribute(item)) {
      return cursor.fail(
        item.typeSpan,
        "Invalid single-argument block definition",
        "A block within a block must stand on a line of its own.",
      );
    }
    const token = cursor.peek();
    if (token.kind !== "}") {
      cursor.unexpected(
        token,
        "Invalid single-argument block definition",
        "A block on one line may hold one argument and must be closed on that line; with more arguments each needs a line of its own.",
      );
    }
    return { start: openBrace.start, end: token.end, attributes: [item], blocks: [] };
  }

  #endOfItem(item: Attribute | Block): void {
    const cursor = this.#cursor;
    const token = cursor.peek();
    if (token.kind === "newline" || token.kind === "end") return;
    if (!isAttribute(item)) {
      cursor.unexpected(
        token,
        "Missing newline after block definition",
        "A block must be followed by a new line.",
      );
    }
    if (token.kind === ",") {
      cursor.fail(
        token,
        "Unexpected comma after argument",
        "Arguments are separated by new lines, not by commas.",
      );
    }
    cursor.unexpected(token, "Missing newline after argument", "An argument must be followed by a new line.");
  }
}

function isAttribute(item: Attribute | Block): item is Attribute {
  return "name" in item;
}

const CLOSING = new Map<string, readonly string[]>([
  ["{", ["}"]],
  ["[", ["]"]],
  ["(", [")"]],
  ["quote", ["endQuote", "brokenQuote"]],
  ["heredoc", ["endHeredoc", "brokenHeredoc"]],
  ["interpolation", ["endSequence"]],
  ["directive", ["endSequence"]],
]);

/**
 * Goes on where the next item of the same body should begin: after the line in which the failed item, brackets
 * considered, ends. An unclosed bracket is taken to end before a line that looks like an argument.
 */
function recover(cursor: Cursor, first: number): void {
  const failedAt = cursor.index;
  if (cursor.raw().kind === "end") return;
  const open: (readonly string[])[] = [];
  let openLists = 0;
  for (let index = first; ; index++) {
    const token = cursor.raw(index);
    if (token.kind === "end") break;
    const opens = CLOSING.get(token.kind);
    if (open.at(-1)?.includes(token.kind)) {
      open.pop();
      if (token.kind === "]" || token.kind === ")") openLists -= 1;
    } else if (opens) {
      open.push(opens);
      if (token.kind === "[" || token.kind === "(") openLists += 1;
    } else if (token.kind === "}" && open.length === 0) {
      cursor.moveTo(Math.max(index, first + 1));
      return;
    } else if (token.kind === "newline") {
      const inList = open.length > 0 && open.length === openLists;
      const looksLikeItem = cursor.raw(index + 1).kind === "identifier" && cursor.raw(index + 2).kind === "=";
      if ((open.length === 0 && index >= failedAt) || (inList && looksLikeItem)) {
        cursor.moveTo(index);
        return;
      }
    }
  }
  // Something stays open up to the end of the file: take the next line for the next item.
  let index = Math.max(failedAt, first + 1);
  while (cursor.raw(index).kind !== "newline" && cursor.raw(index).kind !== "end") index += 1;
  cursor.moveTo(index);
}
