import type { Span } from "../source.ts";

export type Punctuation =
  | "{"
  | "}"
  | "["
  | "]"
  | "("
  | ")"
  | ","
  | "."
  | "..."
  | ":"
  | "?"
  | "="
  | "=>"
  | "=="
  | "!="
  | "<"
  | ">"
  | "<="
  | ">="
  | "+"
  | "-"
  | "*"
  | "/"
  | "%"
  | "!"
  | "&&"
  | "||";

export type TokenKind =
  | Punctuation
  | "identifier"
  | "number"
  | "newline"
  /** `"` that begins, and `"` that ends a quoted template. */
  | "quote"
  | "endQuote"
  /** A line break, or the end of the file, where the closing quote should have been. */
  | "brokenQuote"
  /** `<<EOT` or `<<-EOT` with its line end; `endHeredoc` is the marker that closes it. */
  | "heredoc"
  | "endHeredoc"
  /** The end of the file where the marker should have been. */
  | "brokenHeredoc"
  /** Literal text of a template, backslash escapes not yet resolved; in a heredoc at most one line. */
  | "text"
  /** `${` or `${~`; `%{` or `%{~`; and the `}` or `~}` that closes either. */
  | "interpolation"
  | "directive"
  | "endSequence"
  /** `/*` without its end. */
  | "brokenComment"
  | "invalid"
  | "end";

export interface Token extends Span {
  readonly kind: TokenKind;
}
