import { describe, expect, test } from "vitest";
import { authorizedKey, load, places, server } from "./support.ts";

// The server block fills the lines before: `at(1)` is the first line after it.
const above = server.split("\n").length - 1;
const at = (line: number, column: number, summary: string) => `${above + line}:${column} ${summary}`;
const ec2 = (body: string) =>
  `target "a" "aws_ec2" {\n  image_id = "ami-1"\n  instance_type = "t4g.nano"\n  key_name = "k"\n${body}}\n`;

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

describe("meaning", () => {
  test.each<[string, string, ...string[]]>([
    ["an unknown argument", ec2("  sharred = true\n"), at(5, 3, "Unsupported argument")],
    ["an unknown block", ec2("  placment {}\n"), at(5, 3, "Unsupported block type")],
    ["a block written as an argument", ec2("  placement = {}\n"), at(5, 3, "Unsupported argument")],
    ["an argument written as a block", ec2("  linger {}\n"), at(5, 3, "Unsupported block type")],
    ["an unknown block at the top", "tarket {}\n", at(1, 1, "Unsupported block type")],
    ["an argument at the top", 'linger = "1s"\n', at(1, 1, "Unsupported argument")],
    [
      "missing arguments",
      'target "a" "aws_ec2" {\n  key_name = "k"\n}\n',
      at(1, 22, "Missing required argument"),
      at(1, 22, "Missing required argument"),
    ],
    [
      "a required argument that is null",
      'target "a" "forward" {\n  to = null\n}\n',
      at(2, 8, "Missing required argument"),
    ],
    ["a missing label", 'target "a" {\n}\n', at(1, 12, "Missing type for target")],
    [
      "a label too many",
      'target "a" "forward" "b" {\n  to = "h"\n}\n',
      at(1, 22, "Extraneous label for target"),
    ],
    ["a label on a plain block", ec2('  placement "x" {}\n'), at(5, 13, "Extraneous label for placement")],
    ["an unknown target type", 'target "a" "aws_ec" {}\n', at(1, 12, "Unsupported target type")],
    ["a type not served here", 'target "a" "virtualbox" {}\n', at(1, 12, "Unsupported target type")],
    [
      "an address used twice",
      'target "a" "forward" {\n  to = "h"\n}\ntarget "a" "forward" {\n  to = "i"\n}\n',
      at(4, 8, "Duplicate target"),
    ],
    [
      "a list for a string",
      'target "a" "forward" {\n  to = ["h"]\n}\n',
      at(2, 8, "Incorrect attribute value type"),
    ],
    [
      "a port in a forward",
      'target "a" "forward" {\n  to = "h:22"\n}\n',
      at(2, 8, "Incorrect attribute value type"),
    ],
    ["a port too large", ec2("  check_port = 65536\n"), at(5, 16, "Incorrect attribute value type")],
    ["a port that is not whole", ec2("  check_port = 22.5\n"), at(5, 16, "Incorrect attribute value type")],
    ["a negative port", ec2("  check_port = -1\n"), at(5, 16, "Incorrect attribute value type")],
    ["a word for a port", ec2('  check_port = "ssh"\n'), at(5, 16, "Incorrect attribute value type")],
    ["a number for a bool", ec2("  shared = 1\n"), at(5, 12, "Incorrect attribute value type")],
    ["a duration without unit", ec2('  linger = "30"\n'), at(5, 12, "Incorrect attribute value type")],
    ["a negative duration", ec2('  linger = "-5s"\n'), at(5, 12, "Incorrect attribute value type")],
    ["a boot timeout of nothing", ec2('  boot_timeout = "0"\n'), at(5, 18, "Incorrect attribute value type")],
    ["a word of no choice", ec2('  ready = "maybe"\n'), at(5, 11, "Incorrect attribute value type")],
    [
      "an endpoint that is no URL",
      ec2('  endpoint = "localhost:1"\n'),
      at(5, 14, "Incorrect attribute value type"),
    ],
    [
      "user data too long",
      ec2(`  user_data = "${"x".repeat(16_385)}"\n`),
      at(5, 15, "Incorrect attribute value type"),
    ],
    ["two placements", ec2("  placement {}\n  placement {}\n"), at(6, 3, "Too many placement blocks")],
    [
      "a volume size beyond 32 bits",
      ec2('  ebs_block_device {\n    device_name = "x"\n    volume_size = 2147483648\n  }\n'),
      at(7, 19, "Incorrect attribute value type"),
    ],
    ["two decimal points", "locals {\n  a = 1.2.3\n}\n", at(2, 7, "Invalid number literal")],
    ["a second server", "server {}\n", at(1, 1, "Duplicate server block")],
    [
      "a function misspelt",
      'target "a" "forward" {\n  to = enf("H")\n}\n',
      at(2, 8, "Call to unknown function"),
    ],
  ])("%s", (_what, text, ...expected) => {
    expect(places(load(server + text)).filter((place) => !place.endsWith("No target"))).toEqual(expected);
  });

  test("no server block", () => {
    expect(places(load('target "a" "forward" {\n  to = "h"\n}\n'))).toEqual(["1:1 Missing server block"]);
  });

  test.each([
    ["listen without port", 'listen = "localhost"', "2:12 Incorrect attribute value type"],
    ["listen with a port too large", 'listen = ":65536"', "2:12 Incorrect attribute value type"],
    [
      "listen with an address that lacks brackets",
      'listen = "::1:22"',
      "2:12 Incorrect attribute value type",
    ],
    ["an empty state_dir", 'state_dir = ""', "2:15 Incorrect attribute value type"],
  ])("%s", (_what, line, expected) => {
    expect(places(load(server.replace("server {", `server {\n  ${line}`)))).toContain(expected);
  });

  test("an authorized key that is none, and a host key that is a public key", () => {
    const text = `server {\n  host_key = "${authorizedKey}"\n  authorized_key = "nobody"\n}\n`;
    expect(places(load(text))).toEqual([
      "1:1 No target",
      "2:14 Incorrect attribute value type",
      "3:20 Incorrect attribute value type",
    ]);
  });
});

describe("hints", () => {
  const detail = (text: string) =>
    load(server + text)
      .diagnostics.map((one) => one.detail)
      .join("\n");

  test("a misspelt name is answered with the right one", () => {
    expect(detail(ec2("  sharred = true\n"))).toContain('Did you mean "shared"?');
    expect(detail('target "a" "foward" {}\n')).toContain('Did you mean "forward"?');
  });

  test("a type of the older program is answered with what this version serves", () => {
    expect(detail('target "a" "hcloud" {}\n')).toContain("not served by this version");
  });

  test("a number out of range is answered with the range", () => {
    expect(detail(ec2("  check_port = 65536\n"))).toContain(
      "must be a whole number, between 0 and 65535 inclusive",
    );
  });
});

test("all problems of a file are told in one run, in the order of the file", () => {
  const text = `server {
  listen = "nowhere
  host_key = 'x'
}
target "a" "aws_ec2" {
  image_id =
  linger = "5"
  sharred = true
  attach_volume {
    device_name = "/dev/sdf
  }
}
target "b" "hcloud" {}
locals {
  a = [1,
  b = nope
}
`;
  expect(places(load(text))).toEqual([
    "1:8 Missing required argument",
    "2:20 Invalid multi-line string",
    "3:14 Invalid character",
    "5:22 Missing required argument",
    "5:22 Missing required argument",
    "6:13 Missing expression",
    "7:12 Incorrect attribute value type",
    "8:3 Unsupported argument",
    "9:17 Missing required argument",
    "10:28 Invalid multi-line string",
    "13:12 Unsupported target type",
    "16:5 Missing item separator",
    "16:7 Invalid reference",
  ]);
});

test("bytes that are not UTF-8 are told with their place; a byte order mark is none", async () => {
  const { parseConfig } = await import("../../src/config/index.ts");
  const bad = Buffer.concat([Buffer.from("\ufeffa = 1\nb = é"), Buffer.from([0xff, 0x0a])]);
  const result = parseConfig(bad, { file: "x.hcl", env: {} });
  expect(places(result)).toEqual(["2:6 Invalid character encoding"]);
  expect(result.diagnostics[0]?.range?.start.byte).toBe(15);
  expect(places(load(`\ufefffoo\n`))).toContain("1:1 Argument or block definition required");
});
