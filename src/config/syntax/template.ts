import { graphemeCount, type Span } from "../source.ts";
import type { Cursor } from "./cursor.ts";
import { quotedText, unquotedText } from "./escape.ts";
import type { Token } from "./token.ts";
import type { Expression, Template, TemplatePart } from "./tree.ts";

type Piece =
  | (Span & { kind: "text"; value: string; readonly token: Token })
  | (Span & { readonly kind: "interpolation"; readonly expression: Expression })
  | (Span & { readonly kind: "if"; readonly condition: Expression })
  | (Span & {
      readonly kind: "for";
      readonly keyName: string | undefined;
      readonly valueName: string;
      readonly collection: Expression;
    })
  | (Span & { readonly kind: "else" | "endif" | "endfor" });

/** `"…"` */
export function parseQuoted(cursor: Cursor): Template {
  const opener = cursor.read();
  const pieces = readPieces(cursor, quotedText);
  const closer = cursor.read();
  if (closer.kind !== "endQuote") {
    const last = closer.start >= cursor.source.text.length;
    cursor.fail(
      last ? opener : { start: closer.start, end: closer.start + 1 },
      last ? "Unterminated template string" : "Invalid multi-line string",
      last
        ? 'This string has no closing quote (").'
        : 'A quoted string must end on the line it begins on: the closing quote (") is missing. For text of several lines use a heredoc ("<<EOT"), for a line break write "\\n".',
    );
  }
  return { kind: "template", start: opener.start, end: closer.end, parts: build(cursor, pieces) };
}

/** `<<EOT … EOT`, or `<<-EOT` where the indentation that all lines share is taken away. */
export function parseHeredoc(cursor: Cursor): Template {
  const opener = cursor.read();
  const pieces = readPieces(cursor, unquotedText);
  const closer = cursor.read();
  const header = cursor.text(opener).trimEnd();
  if (closer.kind !== "endHeredoc") {
    const marker = header.replace(/^<<-?/, "");
    cursor.fail(
      { start: opener.start, end: opener.start + header.length },
      "Unterminated template string",
      `This heredoc never ends: the marker "${marker}" does not stand alone on a line after it.`,
    );
  }
  if (header.startsWith("<<-")) removeIndent(pieces);
  return { kind: "template", start: opener.start, end: closer.end, parts: build(cursor, pieces) };
}

/** A whole file as one template. */
export function parseTemplateFile(cursor: Cursor): Template {
  const pieces = readPieces(cursor, unquotedText);
  return { kind: "template", start: 0, end: cursor.source.text.length, parts: build(cursor, pieces) };
}

function readPieces(cursor: Cursor, textOf: (cursor: Cursor, token: Token) => string): Piece[] {
  const pieces: Piece[] = [];
  let trimNext = false;
  for (;;) {
    const token = cursor.peek();
    if (token.kind === "text") {
      cursor.read();
      const value = textOf(cursor, token);
      pieces.push({
        kind: "text",
        start: token.start,
        end: token.end,
        token,
        value: trimNext ? value.trimStart() : value,
      });
      trimNext = false;
    } else if (token.kind === "interpolation" || token.kind === "directive") {
      const before = pieces.at(-1);
      if (before?.kind === "text" && cursor.text(token).endsWith("~")) before.value = before.value.trimEnd();
      cursor.read();
      pieces.push(cursor.within("skip", () => cursor.nested(() => sequence(cursor, token))));
      trimNext = cursor.text({ start: (pieces.at(-1)?.end ?? 0) - 2, end: pieces.at(-1)?.end ?? 0 }) === "~}";
    } else {
      return pieces;
    }
  }
}

function sequence(cursor: Cursor, opener: Token): Piece {
  const { start } = opener;
  const piece = opener.kind === "interpolation" ? interpolation(cursor) : directive(cursor);
  const closer = cursor.peek();
  if (closer.kind !== "endSequence") {
    if (closer.kind === "end") {
      cursor.fail(
        opener,
        "Unclosed template interpolation sequence",
        'No closing brace ("}") ends what begins here. If the text is meant for another program, as in a shell script, write "$${" for "${" and "%%{" for "%{".',
      );
    }
    cursor.unexpected(
      closer,
      opener.kind === "interpolation"
        ? "Extra characters after interpolation expression"
        : "Invalid template directive",
      'A closing brace ("}") is expected here. If the text is meant for another program, as in a shell script, write "$${" for "${" and "%%{" for "%{".',
    );
  }
  cursor.read();
  return { ...piece, start, end: closer.end };
}

function interpolation(cursor: Cursor): Piece {
  return { kind: "interpolation", start: 0, end: 0, expression: cursor.expression() };
}

function directive(cursor: Cursor): Piece {
  const token = cursor.peek();
  const word = token.kind === "identifier" ? cursor.text(token) : "";
  const span = { start: 0, end: 0 };
  switch (word) {
    case "if":
      cursor.read();
      return { kind: "if", ...span, condition: cursor.expression() };
    case "for": {
      cursor.read();
      const names = parseForNames(cursor);
      return { kind: "for", ...span, ...names, collection: cursor.expression() };
    }
    case "else":
    case "endif":
    case "endfor":
      cursor.read();
      return { kind: word, ...span };
    default:
      return cursor.unexpected(
        token,
        "Invalid template directive",
        'After "%{" only if, else, endif, for and endfor are known. To write "%{" itself, double the percent sign: "%%{".',
      );
  }
}

/** `value in` or `key, value in`. */
export function parseForNames(cursor: Cursor): { keyName: string | undefined; valueName: string } {
  const name = () => {
    const token = cursor.peek();
    if (token.kind !== "identifier") {
      cursor.unexpected(
        token,
        "Invalid 'for' expression",
        'After "for" one or two names are expected, then "in".',
      );
    }
    return cursor.text(cursor.read());
  };
  const first = name();
  const second = cursor.take(",") ? name() : undefined;
  if (!cursor.takeWord("in")) {
    cursor.unexpected(
      cursor.peek(),
      "Invalid 'for' expression",
      'The word "in" is expected before the collection.',
    );
  }
  return second === undefined
    ? { keyName: undefined, valueName: first }
    : { keyName: first, valueName: second };
}

/** As HCL does: blank lines neither count nor change, and indentation is counted in characters. */
function removeIndent(pieces: readonly Piece[]): void {
  let least = Number.POSITIVE_INFINITY;
  let lineStart = true;
  const starts: (Piece & { kind: "text" })[] = [];
  for (const piece of pieces) {
    const text = piece.kind === "text" ? piece.value : "";
    const trimmed = text.trimStart();
    const blank = trimmed === "" && text.endsWith("\n");
    if (lineStart && !blank) {
      least = Math.min(least, graphemeCount(text.slice(0, text.length - trimmed.length)));
      if (piece.kind === "text") starts.push(piece);
    }
    lineStart = text.endsWith("\n");
  }
  // Whitespace has one UTF-16 unit for each character.
  for (const piece of starts) piece.value = piece.value.slice(least);
}

/** Makes a tree of the flat row of pieces. */
function build(cursor: Cursor, pieces: readonly Piece[]): readonly TemplatePart[] {
  let next = 0;
  const level = (opener: Piece | undefined, ...ends: readonly string[]): TemplatePart[] => {
    const parts: TemplatePart[] = [];
    for (;;) {
      const piece = pieces[next];
      if (piece === undefined) {
        if (opener === undefined) return parts;
        return cursor.fail(
          opener,
          "Unclosed template directive",
          `"%{ ${opener.kind} }" needs "%{ ${ends.at(-1)} }" after it.`,
        );
      }
      if (ends.includes(piece.kind)) return parts;
      next += 1;
      if (piece.kind === "if") parts.push(conditional(piece));
      else if (piece.kind === "for") {
        const body = cursor.nested(() => level(piece, "endfor"));
        const end = pieces[next++]?.end ?? piece.end;
        const { keyName, valueName, collection } = piece;
        parts.push({ kind: "forEach", start: piece.start, end, keyName, valueName, collection, parts: body });
      } else if (piece.kind === "text" || piece.kind === "interpolation") parts.push(piece);
      else
        cursor.fail(
          piece,
          "Unexpected template directive",
          `No directive that "%{ ${piece.kind} }" could belong to is open here.`,
        );
    }
  };
  const conditional = (piece: Piece & { kind: "if" }): TemplatePart => {
    const yes = cursor.nested(() => level(piece, "else", "endif"));
    const hasElse = pieces[next]?.kind === "else";
    if (hasElse) next += 1;
    const no = hasElse ? cursor.nested(() => level(piece, "endif")) : [];
    const end = pieces[next++]?.end ?? piece.end;
    return { kind: "if", start: piece.start, end, condition: piece.condition, yes, no };
  };
  return level(undefined);
}
