import type { Findings } from "../diagnostic.ts";
import type { SourceText, Span } from "../source.ts";
import type { Token, TokenKind } from "./token.ts";
import type { Expression } from "./tree.ts";

/** Thrown after the problem has been reported; caught where reading can go on. */
export class SyntaxFailure extends Error {
  override readonly name = "SyntaxFailure";
}

/** How deeply expressions and blocks may be nested. */
export const DEEPEST_NESTING = 200;

/** The parser's place among the tokens. */
export class Cursor {
  readonly source: SourceText;
  readonly findings: Findings;
  /** Reads one expression; set once, so that the files of the parser need not import each other in circles. */
  readonly expression: () => Expression;
  readonly #tokens: readonly Token[];
  readonly #end: Token;
  #index = 0;
  #skipNewlines = 0;
  #depth = 0;

  constructor(
    source: SourceText,
    tokens: readonly Token[],
    findings: Findings,
    expression: (cursor: Cursor) => Expression,
  ) {
    this.source = source;
    this.findings = findings;
    this.#tokens = tokens;
    this.#end = tokens.at(-1) ?? { kind: "end", start: source.text.length, end: source.text.length };
    this.expression = () => expression(this);
  }

  get index(): number {
    return this.#index;
  }

  /** Goes back, or on, to a token seen before. */
  moveTo(index: number): void {
    this.#index = index;
  }

  peek(ahead = 0): Token {
    let index = this.#index;
    for (let left = ahead; ; index++) {
      const token = this.#tokens[index] ?? this.#end;
      if (this.#skipNewlines > 0 && token.kind === "newline") continue;
      if (left-- === 0) return token;
    }
  }

  /** The token at the cursor, newline or not. */
  raw(index = this.#index): Token {
    return this.#tokens[index] ?? this.#end;
  }

  read(): Token {
    const token = this.peek();
    while (this.raw() !== token) this.#index += 1;
    if (token.kind !== "end") this.#index += 1;
    return token;
  }

  at(...kinds: readonly TokenKind[]): boolean {
    return kinds.includes(this.peek().kind);
  }

  take(kind: TokenKind): Token | undefined {
    return this.at(kind) ? this.read() : undefined;
  }

  atWord(word: string): boolean {
    const token = this.peek();
    return token.kind === "identifier" && this.text(token) === word;
  }

  takeWord(word: string): Token | undefined {
    return this.atWord(word) ? this.read() : undefined;
  }

  text(span: Span): string {
    return this.source.slice(span);
  }

  /** Reads something between brackets, where line breaks mean nothing (or, in an object, something again). */
  within<T>(newlines: "skip" | "keep", read: () => T): T {
    const outer = this.#skipNewlines;
    this.#skipNewlines = newlines === "skip" ? 1 : 0;
    try {
      return read();
    } finally {
      this.#skipNewlines = outer;
    }
  }

  nested<T>(read: () => T): T {
    if (this.#depth >= DEEPEST_NESTING) this.tooDeep(this.peek());
    this.#depth += 1;
    try {
      return read();
    } finally {
      this.#depth -= 1;
    }
  }

  /** Nothing after it is read: what nests so deeply is no configuration. */
  tooDeep(span: Span): never {
    this.#index = this.#tokens.length - 1;
    return this.fail(span, "Nesting too deep", `At most ${DEEPEST_NESTING} levels of nesting are read.`);
  }

  fail(span: Span, summary: string, detail: string): never {
    this.findings.error(this.source, span, summary, detail);
    throw new SyntaxFailure(summary);
  }

  /** Like {@link fail}, but says what is wrong with the token itself if no token of its kind is right anywhere. */
  unexpected(token: Token, summary: string, detail: string): never {
    const word = this.text(token);
    if (token.kind === "invalid") this.fail(token, ...invalidCharacter(word));
    if (token.kind === "brokenComment") {
      const opener = { start: token.start, end: token.start + 2 };
      this.fail(
        opener,
        "Unterminated comment",
        'The comment that begins with "/*" here has no "*/" to end it.',
      );
    }
    return this.fail(token, summary, detail);
  }
}

function invalidCharacter(character: string): [summary: string, detail: string] {
  switch (character) {
    case "'":
      return ["Invalid character", 'Single quotes do not delimit strings. Use double quotes (").'];
    case "`":
      return [
        "Invalid character",
        'Backticks do not delimit strings. For text of several lines use a heredoc, which begins with "<<EOT".',
      ];
    case ";":
      return [
        "Invalid character",
        "Semicolons are not used: each argument and block ends with its line, and items of a collection are separated by commas.",
      ];
    case "&":
    case "|":
    case "^":
    case "~":
      return [
        "Unsupported operator",
        'There are no bitwise operators. The logical ones are "&&", "||" and "!".',
      ];
    case "\u201c":
    case "\u201d":
    case "\u2018":
    case "\u2019":
      return [
        "Invalid character",
        'Typographic quotes do not delimit strings; copying from a document often brings them in. Use the straight double quote (").',
      ];
    case "\u00a0":
      return [
        "Invalid character",
        "This is a no-break space, which looks like a space but is none. Retype it.",
      ];
    default:
      return [
        "Invalid character",
        'This character has no meaning outside of a string. Text must stand between double quotes (").',
      ];
  }
}
