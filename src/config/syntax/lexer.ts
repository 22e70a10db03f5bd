import type { Punctuation, Token, TokenKind } from "./token.ts";

type Mode =
  | { readonly kind: "normal"; readonly inTemplate: boolean; braces: number }
  | { readonly kind: "quoted" }
  | { readonly kind: "heredoc"; readonly marker: string; lineStart: boolean }
  /** A whole file that is one template: what `templatefile` reads. */
  | { readonly kind: "file" };

const SPACE = /[ \t]+/y;
const NEWLINE = /\r?\n/y;
const LINE_COMMENT = /(?:#|\/\/)[^\n]*/y;
const IDENTIFIER = /[\p{ID_Start}_][\p{ID_Continue}-]*/uy;
const NUMBER = /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const HEREDOC = /<<-?([\p{ID_Start}_][\p{ID_Continue}-]*)\r?\n/uy;
const PUNCTUATION = /\.\.\.|=>|==|!=|<=|>=|&&|\|\||[{}[\](),.:?=<>+\-*/%!]/y;
const SEQUENCE_START = /[$%]\{~?/y;
// A piece of literal text; `$${` and `%%{` are literal, as is a lone `$` or `%`.
const QUOTED_TEXT = /[^"\\$%\r\n]+|\\[^\r\n]|\$\$\{|%%\{|[$%](?!\{)|\r(?!\n)/y;
const UNQUOTED_TEXT = /[^$%\n]+|\$\$\{|%%\{|[$%](?!\{)|\n/y;

/**
 * Splits a text into tokens, in linear time and without ever failing: what cannot be a token becomes one of
 * kind `invalid` or `broken…`, for the parser to report where it stands.
 */
export function tokenize(text: string, as: "config" | "template" = "config"): Token[] {
  const lexer = new Lexer(text, as);
  while (lexer.next());
  return lexer.tokens;
}

class Lexer {
  readonly tokens: Token[] = [];
  readonly #text: string;
  readonly #modes: Mode[];
  #at = 0;

  constructor(text: string, as: "config" | "template") {
    this.#text = text;
    this.#modes = [as === "config" ? { kind: "normal", inTemplate: false, braces: 0 } : { kind: "file" }];
  }

  /** Reads on by at least one character; false at the end. */
  next(): boolean {
    const mode = this.#modes.at(-1);
    if (mode === undefined) return false;
    if (this.#at >= this.#text.length) return this.#finish(mode);
    if (mode.kind === "normal") this.#normal(mode);
    else if (mode.kind === "quoted") this.#quoted();
    else this.#unquoted(mode);
    return true;
  }

  #finish(mode: Mode): boolean {
    if (mode.kind === "quoted") this.#emit("brokenQuote", 0);
    if (mode.kind === "heredoc") this.#emit("brokenHeredoc", 0);
    this.#modes.pop();
    if (this.#modes.length > 0) return true;
    this.#emit("end", 0);
    return false;
  }

  #normal(mode: Mode & { kind: "normal" }): void {
    if (this.#match(SPACE) || this.#match(LINE_COMMENT)) return;
    if (this.#startsWith("/*")) {
      this.#blockComment();
      return;
    }
    if (this.#match(NEWLINE, "newline")) return;
    if (this.#match(IDENTIFIER, "identifier") || this.#match(NUMBER, "number")) return;
    if (this.#startsWith('"')) {
      this.#emit("quote", 1);
      this.#modes.push({ kind: "quoted" });
      return;
    }
    const heredoc = this.#match(HEREDOC, "heredoc");
    if (heredoc) {
      this.#modes.push({ kind: "heredoc", marker: heredoc[1] ?? "", lineStart: true });
      return;
    }
    if (mode.inTemplate && mode.braces === 0 && (this.#startsWith("}") || this.#startsWith("~}"))) {
      this.#emit("endSequence", this.#startsWith("}") ? 1 : 2);
      this.#modes.pop();
      return;
    }
    PUNCTUATION.lastIndex = this.#at;
    const punctuation = PUNCTUATION.exec(this.#text)?.[0];
    if (punctuation === undefined) {
      this.#invalid();
      return;
    }
    if (punctuation === "{") mode.braces += 1;
    if (punctuation === "}") mode.braces -= 1;
    this.#emit(punctuation as Punctuation, punctuation.length);
  }

  #quoted(): void {
    if (this.#startsWith('"')) {
      this.#emit("endQuote", 1);
      this.#modes.pop();
      return;
    }
    if (this.#sequence() || this.#literal(QUOTED_TEXT)) return;
    // A backslash right before the line ends.
    if (this.#startsWith("\\")) this.#emit("text", 1);
    // Taking the line break for the end of the string keeps one forgotten quote from swallowing the file.
    this.#emit("brokenQuote", 0);
    this.#modes.pop();
  }

  #unquoted(mode: Mode & { kind: "heredoc" | "file" }): void {
    if (mode.kind === "heredoc" && mode.lineStart && this.#endOfHeredoc(mode.marker)) return;
    if (mode.kind === "heredoc") mode.lineStart = false;
    if (this.#sequence()) return;
    this.#literal(UNQUOTED_TEXT);
    if (mode.kind === "heredoc") mode.lineStart = this.#text[this.#at - 1] === "\n";
  }

  /** One token for as many pieces as follow each other, but for no more than one line. */
  #literal(piece: RegExp): boolean {
    const start = this.#at;
    while (this.#match(piece) && this.#text[this.#at - 1] !== "\n");
    if (this.#at === start) return false;
    this.tokens.push({ kind: "text", start, end: this.#at });
    return true;
  }

  #endOfHeredoc(marker: string): boolean {
    const lineEnd = this.#text.indexOf("\n", this.#at);
    const line = this.#text.slice(this.#at, lineEnd === -1 ? this.#text.length : lineEnd);
    if (line.trim() !== marker) return false;
    this.#at += line.length - line.trimStart().length;
    this.#emit("endHeredoc", marker.length);
    this.#match(SPACE);
    this.#modes.pop();
    return true;
  }

  #sequence(): boolean {
    SEQUENCE_START.lastIndex = this.#at;
    const opener = SEQUENCE_START.exec(this.#text)?.[0];
    if (opener === undefined) return false;
    this.#emit(opener.startsWith("$") ? "interpolation" : "directive", opener.length);
    this.#modes.push({ kind: "normal", inTemplate: true, braces: 0 });
    return true;
  }

  #blockComment(): void {
    const end = this.#text.indexOf("*/", this.#at + 2);
    if (end === -1) this.#emit("brokenComment", this.#text.length - this.#at);
    else this.#at = end + 2;
  }

  #invalid(): void {
    this.#emit("invalid", (this.#text.codePointAt(this.#at) ?? 0) > 0xffff ? 2 : 1);
  }

  #startsWith(word: string): boolean {
    return this.#text.startsWith(word, this.#at);
  }

  #match(pattern: RegExp, kind?: TokenKind): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null || match[0] === "") return undefined;
    if (kind === undefined) this.#at += match[0].length;
    else this.#emit(kind, match[0].length);
    return match;
  }

  #emit(kind: TokenKind, length: number): void {
    this.tokens.push({ kind, start: this.#at, end: this.#at + length });
    this.#at += length;
  }
}
