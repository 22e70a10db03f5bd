import type { Span } from "../source.ts";
import { parseObject, parseTuple, unclosedOr } from "./collection.ts";
import { type Cursor, DEEPEST_NESTING } from "./cursor.ts";
import { parseHeredoc, parseQuoted } from "./template.ts";
import type { Token, TokenKind } from "./token.ts";
import type { BinaryOperator, Expression, SplatStep } from "./tree.ts";

const LEVELS: readonly (readonly BinaryOperator[])[] = [
  ["||"],
  ["&&"],
  ["==", "!="],
  ["<", ">", "<=", ">="],
  ["+", "-"],
  ["*", "/", "%"],
];
const PRECEDENCE = new Map<TokenKind, number>(
  LEVELS.flatMap((operators, level) => operators.map((operator) => [operator, level] as const)),
);

/** One expression, operators and all. */
export function parseExpression(cursor: Cursor): Expression {
  return cursor.nested(() => {
    const condition = binary(cursor, 0);
    if (!cursor.take("?")) return condition;
    const yes = cursor.expression();
    if (!cursor.take(":")) {
      cursor.unexpected(
        cursor.peek(),
        "Missing false expression in conditional",
        'After "condition ? value" a colon and the other value are expected.',
      );
    }
    const no = cursor.expression();
    return { kind: "conditional", start: condition.start, end: no.end, condition, yes, no };
  });
}

function binary(cursor: Cursor, level: number): Expression {
  let left = unary(cursor);
  for (let length = 0; ; length++) {
    const token = cursor.peek();
    const precedence = PRECEDENCE.get(token.kind);
    if (precedence === undefined || precedence < level) return left;
    if (length >= DEEPEST_NESTING) cursor.tooDeep(token);
    cursor.read();
    const right = binary(cursor, precedence + 1);
    const operator = token.kind as BinaryOperator;
    left = { kind: "binary", start: left.start, end: right.end, operator, left, right };
  }
}

function unary(cursor: Cursor): Expression {
  const token = cursor.peek();
  if (token.kind !== "-" && token.kind !== "!") return postfix(cursor);
  const operator = token.kind;
  return cursor.nested(() => {
    cursor.read();
    const operand = unary(cursor);
    return { kind: "unary", start: token.start, end: operand.end, operator, operand };
  });
}

function postfix(cursor: Cursor): Expression {
  let expression = primary(cursor);
  for (let length = 0; ; length++) {
    if (!cursor.at(".", "[")) return expression;
    if (length >= DEEPEST_NESTING) cursor.tooDeep(cursor.peek());
    expression = step(cursor, expression);
  }
}

function step(cursor: Cursor, of: Expression): Expression {
  const { start } = of;
  const opener = cursor.read();
  if (cursor.at("*") && (opener.kind === "." || cursor.peek(1).kind === "]")) {
    let end = cursor.read().end;
    if (opener.kind === "[") end = cursor.read().end;
    const steps: SplatStep[] = [];
    while (cursor.at(...(opener.kind === "." ? (["."] as const) : ([".", "["] as const)))) {
      if (steps.length >= DEEPEST_NESTING) cursor.tooDeep(cursor.peek());
      const one = splatStep(cursor);
      steps.push(one);
      end = one.end;
    }
    return { kind: "splat", start, end, of, steps };
  }
  if (opener.kind === "[") {
    const { key, end } = indexKey(cursor, opener);
    return { kind: "index", start, end, of, key };
  }
  return dotted(cursor, of);
}

function splatStep(cursor: Cursor): SplatStep {
  const opener = cursor.read();
  if (opener.kind === "[") {
    const { key, end } = indexKey(cursor, opener);
    return { kind: "index", start: opener.start, end, key };
  }
  const { start, end } = cursor.peek();
  const number = legacyIndex(cursor);
  if (number) return { kind: "index", start, end, key: number };
  return { kind: "attribute", start, end, name: attributeName(cursor) };
}

function dotted(cursor: Cursor, of: Expression): Expression {
  const { start } = of;
  const { end } = cursor.peek();
  const key = legacyIndex(cursor);
  if (key) return { kind: "index", start, end, of, key };
  return { kind: "attribute", start, end, of, name: attributeName(cursor) };
}

/** `list.0`, the older way to write `list[0]`. */
function legacyIndex(cursor: Cursor): (Expression & { kind: "number" }) | undefined {
  const token = cursor.peek();
  if (token.kind !== "number" || !/^\d+$/.test(cursor.text(token))) return undefined;
  cursor.read();
  return { kind: "number", start: token.start, end: token.end, text: cursor.text(token) };
}

function attributeName(cursor: Cursor): string {
  const token = cursor.peek();
  if (token.kind !== "identifier") {
    cursor.unexpected(token, "Invalid attribute name", "The name of an attribute is expected after a dot.");
  }
  return cursor.text(cursor.read());
}

function indexKey(cursor: Cursor, opener: Token): { key: Expression; end: number } {
  return cursor.within("skip", () => {
    const key = cursor.expression();
    if (!cursor.at("]")) {
      unclosedOr(
        cursor,
        opener,
        "]",
        "Missing close bracket on index",
        'An index must end with a closing bracket ("]").',
      );
    }
    return { key, end: cursor.read().end };
  });
}

const PRIMARIES = new Map<TokenKind, (cursor: Cursor) => Expression>([
  ["number", numberLiteral],
  ["identifier", word],
  ["quote", parseQuoted],
  ["heredoc", parseHeredoc],
  ["[", parseTuple],
  ["{", parseObject],
  ["(", parentheses],
]);

function primary(cursor: Cursor): Expression {
  const token = cursor.peek();
  return PRIMARIES.get(token.kind)?.(cursor) ?? noExpression(cursor, token);
}

function numberLiteral(cursor: Cursor): Expression {
  const { start, end } = cursor.read();
  const [dot, more] = [cursor.peek(), cursor.peek(1)];
  if (dot.kind === "." && dot.start === end && more.kind === "number" && more.start === dot.end) {
    // Not an index into the number, whatever the grammar might allow.
    cursor.fail(
      { start, end: more.end },
      "Invalid number literal",
      "A number has one decimal point at most.",
    );
  }
  return { kind: "number", start, end, text: cursor.text({ start, end }) };
}

function parentheses(cursor: Cursor): Expression {
  const opener = cursor.read();
  return cursor.within("skip", () => {
    const inner = cursor.expression();
    if (!cursor.at(")")) {
      unclosedOr(
        cursor,
        opener,
        ")",
        "Unbalanced parentheses",
        'A closing parenthesis (")") is expected here.',
      );
    }
    return { kind: "parentheses", start: opener.start, end: cursor.read().end, inner };
  });
}

const KEYWORDS = new Map<string, boolean | null>([
  ["true", true],
  ["false", false],
  ["null", null],
]);

function word(cursor: Cursor): Expression {
  const token = cursor.read();
  const { start, end } = token;
  const name = cursor.text(token);
  if (cursor.at("(")) return call(cursor, name, token);
  const value = KEYWORDS.get(name);
  if (value !== undefined) return { kind: "keyword", start, end, value };
  return { kind: "variable", start, end, name };
}

function call(cursor: Cursor, name: string, { start, end }: Span): Expression {
  const opener = cursor.read();
  return cursor.within("skip", () => {
    const items: Expression[] = [];
    let expandLast = false;
    while (!cursor.at(")")) {
      items.push(cursor.expression());
      expandLast = cursor.take("...") !== undefined;
      const comma = cursor.take(",");
      if ((expandLast || !comma) && !cursor.at(")")) {
        unclosedOr(
          cursor,
          opener,
          ")",
          expandLast ? "Missing closing parenthesis" : "Missing argument separator",
          expandLast
            ? '"..." may only follow the last argument.'
            : "A comma is expected before the next argument.",
        );
      }
    }
    return {
      kind: "call",
      start,
      end: cursor.read().end,
      name,
      nameSpan: { start, end },
      arguments: items,
      expandLast,
    };
  });
}

function noExpression(cursor: Cursor, token: Token): never {
  if (token.kind === "<" && cursor.text({ start: token.start, end: token.start + 2 }) === "<<") {
    return cursor.fail(
      { start: token.start, end: token.start + 2 },
      "Invalid heredoc",
      'A heredoc begins with "<<" and a marker (or "<<-" and a marker) with nothing after it on that line.',
    );
  }
  if (token.kind === "newline" || token.kind === "end" || token.kind === "endSequence") {
    const where = { newline: "the line ends", end: "the file ends", endSequence: "the sequence ends" }[
      token.kind
    ];
    return cursor.fail(token, "Missing expression", `A value is expected here, but ${where}.`);
  }
  return cursor.unexpected(
    token,
    "Invalid expression",
    "A value is expected here: a number, a string, a list, a name …",
  );
}
