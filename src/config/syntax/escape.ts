import type { Cursor } from "./cursor.ts";
import type { Token } from "./token.ts";

const SPECIAL = /\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8}|\\[\s\S]?|\$\$\{|%%\{/gu;
const SIMPLE: Readonly<Record<string, string>> = {
  "\\n": "\n",
  "\\r": "\r",
  "\\t": "\t",
  '\\"': '"',
  "\\\\": "\\",
};

/** The text that a `text` token of a quoted string stands for. */
export function quotedText(cursor: Cursor, token: Token): string {
  return cursor.text(token).replace(SPECIAL, (sequence: string, at: number) => {
    if (!sequence.startsWith("\\")) return sequence.slice(1);
    const simple = SIMPLE[sequence];
    if (simple !== undefined) return simple;
    const span = { start: token.start + at, end: token.start + at + sequence.length };
    if (sequence.length > 3) return character(cursor, span, Number.parseInt(sequence.slice(2), 16));
    const digits = sequence === "\\u" ? "four" : sequence === "\\U" ? "eight" : undefined;
    return cursor.fail(
      span,
      "Invalid escape sequence",
      digits === undefined
        ? 'After a backslash only n, r, t, ", \\, u and U have a meaning. For a backslash itself write two of them.'
        : `"${sequence}" must be followed by ${digits} hexadecimal digits.`,
    );
  });
}

/** The text that a `text` token of a heredoc or of a template file stands for: backslashes are ordinary there. */
export function unquotedText(cursor: Cursor, token: Token): string {
  return cursor.text(token).replace(/\$\$\{|%%\{/g, (sequence) => sequence.slice(1));
}

function character(cursor: Cursor, span: { start: number; end: number }, code: number): string {
  if (code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff)) return String.fromCodePoint(code);
  return cursor.fail(span, "Invalid escape sequence", "There is no Unicode character of this number.");
}
