import { describe, expect, test } from "vitest";
import { at, load, places, server } from "./support.ts";

describe("syntax", () => {
  test.each<[string, string, ...string[]]>([
    ["a name alone", "foo\n", at(1, 1, "Argument or block definition required")],
    ["a string where a name should be", '"foo" = 1\n', at(1, 1, "Invalid argument name")],
    ["an operator where a name should be", "  = 1\n", at(1, 3, "Argument or block definition required")],
    ["a stray brace", "}\n", at(1, 1, "Argument or block definition required")],
    ["single quotes", "locals {\n  a = 'x'\n}\n", at(2, 7, "Invalid character")],
    ["backticks", "locals {\n  a = `x`\n}\n", at(2, 7, "Invalid character")],
    ["typographic quotes", "locals {\n  a = “x”\n}\n", at(2, 7, "Invalid character")],
    ["a semicolon", "locals {\n  a = 1;\n}\n", at(2, 8, "Invalid character")],
    ["a bitwise operator", "locals {\n  a = 1 & 2\n}\n", at(2, 9, "Unsupported operator")],
    ["no value", "locals {\n  a =\n}\n", at(2, 6, "Missing expression")],
    ["two arguments on a line", "locals {\n  a = 1 b = 2\n}\n", at(2, 9, "Missing newline after argument")],
    [
      "a comma between arguments",
      "locals {\n  a = 1,\n  b = 2\n}\n",
      at(2, 8, "Unexpected comma after argument"),
    ],
    ["an unclosed string", 'locals {\n  a = "x\n}\n', at(2, 9, "Invalid multi-line string")],
    ["an unclosed string at the end", 'a = "x', at(1, 5, "Unterminated template string")],
    ["an unknown escape", 'locals {\n  a = "x\\qy"\n}\n', at(2, 9, "Invalid escape sequence")],
    ["a short \\u", 'locals {\n  a = "\\u00"\n}\n', at(2, 8, "Invalid escape sequence")],
    ["half a surrogate pair", 'locals {\n  a = "\\ud83d"\n}\n', at(2, 8, "Invalid escape sequence")],
    [
      "an unclosed heredoc",
      "locals {\n  a = <<EOT\n  x\n",
      at(1, 8, "Unclosed configuration block"),
      at(2, 7, "Unterminated template string"),
    ],
    [
      "text behind a heredoc marker",
      "locals {\n  a = <<EOT x\nEOT\n}\n",
      at(2, 7, "Invalid heredoc"),
      at(3, 1, "Argument or block definition required"),
    ],
    [
      "an unclosed interpolation",
      'locals {\n  a = "${1"\n}\n',
      at(1, 8, "Unclosed configuration block"),
      at(2, 11, "Extra characters after interpolation expression"),
    ],
    [
      "a shell variable",
      'locals {\n  a = "${x:-1}"\n}\n',
      at(2, 11, "Extra characters after interpolation expression"),
    ],
    ["an unknown directive", 'locals {\n  a = "%{ foo }"\n}\n', at(2, 11, "Invalid template directive")],
    ["an if without endif", 'locals {\n  a = "%{ if true }x"\n}\n', at(2, 8, "Unclosed template directive")],
    ["an endif without if", 'locals {\n  a = "x%{ endif }"\n}\n', at(2, 9, "Unexpected template directive")],
    ["an unclosed list", "locals {\n  a = [1, 2\n  b = 3\n}\n", at(3, 3, "Missing item separator")],
    ["an unclosed list at the end", "a = [1,", at(1, 8, "Missing expression")],
    ["an unclosed parenthesis", "locals {\n  a = (1 + 2\n}\n", at(3, 1, "Unbalanced parentheses")],
    [
      "an object item without a value",
      "locals {\n  a = { b }\n}\n",
      at(2, 11, "Missing key/value separator"),
    ],
    [
      "object items without separator",
      "locals {\n  a = { b = 1 c = 2 }\n}\n",
      at(2, 15, "Missing attribute separator"),
    ],
    ["an unclosed block", "locals {\n  a = 1\n", at(1, 8, "Unclosed configuration block")],
    ["a block with an equals sign", 'target "a" = "forward" {\n}\n', at(1, 12, "Invalid block definition")],
    [
      "a brace on the next line",
      'target "a" "forward"\n{\n  to = "h"\n}\n',
      at(1, 21, "Invalid block definition"),
      at(2, 1, "Argument or block definition required"),
    ],
    ["a computed label", 'target "${1}" "forward" {\n  to = "h"\n}\n', at(1, 8, "Invalid block definition")],
    [
      "two arguments in a block on one line",
      "locals { a = 1, b = 2 }\n",
      at(1, 15, "Invalid single-argument block definition"),
    ],
    [
      "a block in a block on one line",
      "locals { a {} }\n",
      at(1, 10, "Invalid single-argument block definition"),
    ],
    ["two blocks on one line", "locals {} locals {}\n", at(1, 11, "Missing newline after block definition")],
    ["an argument set twice", "locals {\n  a = 1\n  a = 2\n}\n", at(3, 3, "Attribute redefined")],
    ["a comment without end", "locals {\n  a = 1\n}\n  /* x\n", at(4, 3, "Unterminated comment")],
    [
      "a conditional without colon",
      "locals {\n  a = true ? 1\n}\n",
      at(2, 15, "Missing false expression in conditional"),
    ],
    ["a dot without a name", "locals {\n  a = local.\n}\n", at(2, 13, "Invalid attribute name")],
    ["an unclosed index", "locals {\n  a = [1][0\n}\n", at(3, 1, "Missing close bracket on index")],
    [
      "characters of more than one unit",
      'locals {\n  a = "é👩‍👩‍👧" x\n}\n',
      at(2, 12, "Missing newline after argument"),
    ],
    ["a tab before", "locals {\n\ta = ?\n}\n", at(2, 6, "Invalid expression")],
  ])("%s", (_what, text, ...expected) => {
    expect(places(load(server + text)).filter((place) => !place.endsWith("No target"))).toEqual(expected);
  });
});
