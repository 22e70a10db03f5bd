import type { Cursor } from "./cursor.ts";
import { parseForNames } from "./template.ts";
import type { Token } from "./token.ts";
import type { Expression, For, ObjectItem } from "./tree.ts";

/** `[a, b]` or `[for …]` */
export function parseTuple(cursor: Cursor): Expression {
  const opener = cursor.read();
  return cursor.within("skip", () => {
    if (cursor.atWord("for")) return forExpression(cursor, opener, "]");
    const items: Expression[] = [];
    while (!cursor.at("]")) {
      items.push(cursor.expression());
      if (!cursor.take(",") && !cursor.at("]")) {
        unclosedOr(
          cursor,
          opener,
          "]",
          "Missing item separator",
          "A comma is expected before the next item.",
        );
      }
    }
    return { kind: "tuple", start: opener.start, end: cursor.read().end, items };
  });
}

/** `{ a = 1, b : 2 }`, items on lines of their own or separated by commas; or `{for …}` */
export function parseObject(cursor: Cursor): Expression {
  const opener = cursor.read();
  if (cursor.within("skip", () => cursor.atWord("for"))) {
    return cursor.within("skip", () => forExpression(cursor, opener, "}"));
  }
  return cursor.within("keep", () => {
    const items: ObjectItem[] = [];
    for (;;) {
      while (cursor.take("newline"));
      if (cursor.at("}")) return { kind: "object", start: opener.start, end: cursor.read().end, items };
      const key = objectKey(cursor);
      if (!cursor.take("=") && !cursor.take(":")) {
        unclosedOr(
          cursor,
          opener,
          "}",
          "Missing key/value separator",
          'An equals sign ("=") is expected between key and value.',
        );
      }
      items.push({ key, value: cursor.expression() });
      if (!cursor.take(",") && !cursor.at("newline", "}")) {
        unclosedOr(
          cursor,
          opener,
          "}",
          "Missing attribute separator",
          "A comma or a new line is expected before the next item.",
        );
      }
    }
  });
}

function objectKey(cursor: Cursor): ObjectItem["key"] {
  const token = cursor.peek();
  const after = cursor.peek(1).kind;
  if (token.kind === "identifier" && (after === "=" || after === ":")) {
    cursor.read();
    return { kind: "bare", start: token.start, end: token.end, name: cursor.text(token) };
  }
  return cursor.expression();
}

function forExpression(cursor: Cursor, opener: Token, closing: "]" | "}"): For {
  cursor.read();
  const names = parseForNames(cursor);
  const collection = cursor.expression();
  if (!cursor.take(":")) {
    unclosedOr(
      cursor,
      opener,
      closing,
      "Invalid 'for' expression",
      "A colon is expected after the collection.",
    );
  }
  const first = cursor.expression();
  const arrow = cursor.take("=>");
  if (closing === "}" && !arrow) {
    unclosedOr(
      cursor,
      opener,
      closing,
      "Invalid 'for' expression",
      'In braces a "for" makes an object: "key => value" is expected.',
    );
  }
  if (closing === "]" && arrow) {
    cursor.fail(
      arrow,
      "Invalid 'for' expression",
      'In brackets a "for" makes a list, which has no keys: leave out "key =>", or use braces.',
    );
  }
  const value = arrow ? cursor.expression() : first;
  const group = arrow !== undefined && cursor.take("...") !== undefined;
  const condition = cursor.takeWord("if") ? cursor.expression() : undefined;
  if (!cursor.at(closing)) {
    unclosedOr(
      cursor,
      opener,
      closing,
      "Invalid 'for' expression",
      `"${closing}" is expected at the end of a "for" expression.`,
    );
  }
  const end = cursor.read().end;
  const key = arrow ? first : undefined;
  return { kind: "for", start: opener.start, end, ...names, collection, key, value, condition, group };
}

/** At the end of the file the opening bracket is what to show; anywhere else the token that does not fit. */
export function unclosedOr(
  cursor: Cursor,
  opener: Token,
  closing: string,
  summary: string,
  detail: string,
): never {
  const token = cursor.peek();
  if (token.kind === "end") {
    const bracket = cursor.text(opener);
    return cursor.fail(
      opener,
      "Unclosed bracket",
      `The "${bracket}" here has no "${closing}" before the end of the file.`,
    );
  }
  return cursor.unexpected(token, summary, detail);
}
