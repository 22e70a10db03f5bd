import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { evaluate, evaluateAll } from "./support.ts";

describe("literals", () => {
  test.each<[string, unknown]>([
    ["1", 1],
    ["0.5", 0.5],
    ["1e3", 1000],
    ["1.5E-2", 0.015],
    ["true", true],
    ["null", null],
    ['""', ""],
    ['"a\\n\\t\\"\\\\\\u00e9\\U0001f600"', 'a\n\t"\\é😀'],
    ['"$$${1}"', "$${1}"],
    ['"$${x} %%{y} $ % $$ 100%"', "${x} %{y} $ % $$ 100%"],
    ['"${1}"', 1],
    ['"${"a"}b"', "ab"],
    ['"a ${"b ${"c"}"}"', "a b c"],
    ['"${true}!"', "true!"],
    ["[]", []],
    ['[1, "a", [true],]', [1, "a", [true]]],
    ["[\n  1,\n  # two\n  2,\n]", [1, 2]],
    ["{}", {}],
    ['{ a = 1, b : 2, "c d" = 3, ("e") = 4 }', { a: 1, b: 2, "c d": 3, e: 4 }],
    ["{\n  a = 1\n  b = 2\n\n}", { a: 1, b: 2 }],
    ["<<E\na\n  b\nE", "a\n  b\n"],
    ["<<E\n  E", ""],
    ["<<-E\n    a\n\n      b\n  E", "a\n\n  b\n"],
    ["<<-E\n\ta\n\t\tb\n\tE", "a\n\tb\n"],
    ['<<E\n\\n "q" $${x} ${1 + 1}\nE', '\\n "q" ${x} 2\n'],
    ["<<-E\n  ${1}\n   x\n  E", "1\n x\n"],
  ])("%s", (text, value) => {
    expect(evaluate(text)).toEqual(value);
  });

  test("line ends of DOS are no part of names, values or markers", () => {
    expect(evaluateAll("a = 1\r\nb = <<E\r\nx\r\nE\r\nc {\r\n}\r\n")).toEqual({
      value: { a: 1, b: "x\r\n", c: [{}] },
      problems: [],
    });
  });

  test("the marker may end the file", () => {
    expect(evaluateAll("a = <<E\nx\nE")).toEqual({ value: { a: "x\n" }, problems: [] });
  });

  test("comments of all three kinds are skipped", () => {
    const text = "# one\na = 1 // two\n/* three\n   four */ b = 2 /* five */\n";
    expect(evaluateAll(text)).toEqual({ value: { a: 1, b: 2 }, problems: [] });
  });
});

describe("operators", () => {
  test.each<[string, unknown]>([
    ["1 + 2 * 3", 7],
    ["(1 + 2) * 3", 9],
    ["10 - 4 - 3", 3],
    ["7 % 4", 3],
    ["-7 % 4", -3],
    ["1 / 4", 0.25],
    ["0.1 + 0.2 == 0.3", true],
    ["-(-1)", 1],
    ["!true || true && false", false],
    ["1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3", true],
    ['"1" + 1', 2],
    ['1 == "1"', false],
    ["[1, {a = 2}] == [1, {a = 2}]", true],
    ['"a" != "b"', true],
    ["true ? 1 : 2", 1],
    ['false ? 1 : true ? "b" : "c"', "b"],
    ['"${1 > 2 ? "x" : "y"}z"', "yz"],
    ["99999999999999999999 + 1 == 100000000000000000000", true],
  ])("%s", (text, value) => {
    expect(evaluate(text)).toEqual(value);
  });

  test("a large number becomes a string with all its digits", () => {
    expect(evaluate('"${12345678901234567890123} ${0.10} ${1e3}"')).toBe("12345678901234567890123 0.1 1000");
  });
});

describe("collections", () => {
  test.each<[string, unknown]>([
    ["[10, 20][1]", 20],
    ["{a = 1}.a", 1],
    ['{a = 1}["a"]', 1],
    ["[[1], [2]][1][0]", 2],
    ["[1, 2].1", 2],
    ["[{a = 1}, {a = 2}][*].a", [1, 2]],
    ["[{a = [1]}, {a = [2]}][*].a[0]", [1, 2]],
    ["[{a = 1}, {a = 2}].*.a", [1, 2]],
    ["{a = 1}[*].a", [1]],
    ["null[*]", []],
    ["[for x in [1, 2, 3] : x * 2 if x != 2]", [2, 6]],
    ["[for i, x in [5, 6] : i + x]", [5, 7]],
    ["[for k, v in {b = 1, a = 2} : k]", ["a", "b"]],
    ['{for x in ["a", "b"] : x => "${x}!"}', { a: "a!", b: "b!" }],
    ['{for x in ["a", "ab", "b"] : x == "b" ? "b" : "a" => x...}', { a: ["a", "ab"], b: ["b"] }],
  ])("%s", (text, value) => {
    expect(evaluate(text)).toEqual(value);
  });
});

describe("template directives", () => {
  test.each<[string, unknown]>([
    ['"%{ if true }yes%{ else }no%{ endif }"', "yes"],
    ['"%{ if false }yes%{ endif }"', ""],
    ['"%{ for x in [1, 2] }<${x}>%{ endfor }"', "<1><2>"],
    ['"%{ for k, v in {a = 1} }${k}=${v}%{ endfor }"', "a=1"],
    ['"a ${~ "b" ~} c"', "abc"],
    ["<<E\n%{ for x in [1, 2] ~}\n- ${x}\n%{ endfor ~}\nend\nE", "- 1\n- 2\nend\n"],
    ['"%{ if true }%{ if false }a%{ else }b%{ endif }%{ endif }"', "b"],
  ])("%s", (text, value) => {
    expect(evaluate(text)).toEqual(value);
  });
});

describe("functions", () => {
  let folder: string;
  const at = (name: string) => JSON.stringify(join(folder, name));
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "lazyssh-config-"));
    writeFileSync(join(folder, "text"), "one ${two}\n");
    writeFileSync(join(folder, "template"), 'Hello ${name}%{ if loud }!%{ endif } "\\n" $${x}\n');
    writeFileSync(join(folder, "binary"), Buffer.from([0x61, 0xff]));
    writeFileSync(join(folder, "broken"), "a\n${name\n");
    writeFileSync(join(folder, "wrong"), "a\n${nam}\n");
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test("env() gives the variable, or its default", () => {
    expect(evaluate('env("A")', { A: "x" })).toBe("x");
    expect(evaluate('env("A", "y")')).toBe("y");
    expect(evaluate('env("A")')).toEqual(["1:9 Invalid function argument"]);
  });

  test("trimspace, base64encode and jsonencode", () => {
    expect(evaluate('trimspace("\\n a b \\t")')).toBe("a b");
    expect(evaluate('base64encode("é")')).toBe("w6k=");
    expect(evaluate('jsonencode({b = [1, true, null], a = "q\\"", n = 0.5})')).toBe(
      '{"a":"q\\"","b":[1,true,null],"n":0.5}',
    );
  });

  test("file() gives a text file as it is", () => {
    expect(evaluate(`file(${at("text")})`)).toBe("one ${two}\n");
    expect(evaluate(`file(${at("absent")})`)).toEqual(["1:10 Invalid function argument"]);
    expect(evaluate(`file(${at("binary")})`)).toEqual(["1:10 Invalid function argument"]);
    expect(evaluate(`file(${JSON.stringify(folder)})`)).toEqual(["1:10 Invalid function argument"]);
  });

  test("templatefile() renders with the given names, and reports places in the template", () => {
    expect(evaluate(`templatefile(${at("template")}, {name = "Ada", loud = true})`)).toBe(
      'Hello Ada! "\\n" ${x}\n',
    );
    expect(evaluate(`templatefile(${at("broken")}, {name = 1})`)).toEqual([
      "2:1 Unclosed template interpolation sequence",
    ]);
    expect(evaluate(`templatefile(${at("wrong")}, {name = 1})`)).toEqual(["2:3 Invalid reference"]);
  });

  test("the last argument may be a list that is spread", () => {
    expect(evaluate('env(["A", "b"]...)')).toBe("b");
  });

  test.each([
    ["trimspce(1)", "1:5 Call to unknown function"],
    ["trimspace()", "1:5 Not enough function arguments"],
    ["trimspace(1, 2)", "1:18 Too many function arguments"],
    ["trimspace([])", "1:15 Invalid function argument"],
    ["constructor()", "1:5 Call to unknown function"],
  ])("%s is an error", (text, problem) => {
    expect(evaluate(text)).toEqual([problem]);
  });
});

describe("problems of values", () => {
  test.each([
    ["nope", "1:5 Invalid reference"],
    ["local.x", "1:5 Reference to undeclared local value"],
    ["var.x", "1:5 Reference to undeclared variable"],
    ["local", "1:5 Invalid reference"],
    ["1 / 0", "1:5 Invalid operand"],
    ['1 + "a"', "1:9 Invalid operand"],
    ["!5", "1:6 Invalid operand"],
    ["[1][1]", "1:9 Invalid index"],
    ["{a = 1}.b", "1:5 Unsupported attribute"],
    ['"${[1]}x"', "1:8 Invalid template interpolation value"],
    ["[for x in 5 : x]", "1:15 Iteration over non-iterable value"],
    ["{for x in [1, 1] : x => x}", "1:24 Duplicate object key"],
    ["5 ? 1 : 2", "1:5 Incorrect condition type"],
    ["{(null) = 1}", "1:6 Incorrect key type"],
    ["1e99999", "1:5 Invalid number"],
  ])("%s", (text, problem) => {
    expect(evaluate(text)).toEqual([problem]);
  });
});

describe("locals and variables", () => {
  test("locals refer to each other in any order", () => {
    const text = 'locals {\n  a = "${local.b}!"\n}\nlocals {\n  b = "x"\n}\nr = local.a\n';
    expect(evaluateAll(text)).toMatchObject({ value: { r: "x!" }, problems: [] });
  });

  test("a local that needs itself is an error, told once", () => {
    expect(evaluateAll("locals {\n  a = local.b\n  b = local.a\n}\n").problems).toEqual([
      "2:3 Reference to itself",
    ]);
  });

  test("a variable takes the environment's value before its default", () => {
    const text = 'variable "a" {\n  default = "d"\n}\nr = var.a\n';
    expect(evaluateAll(text)).toMatchObject({ value: { r: "d" } });
    expect(evaluateAll(text, { LAZYSSH_VAR_a: "e" })).toMatchObject({ value: { r: "e" } });
  });

  test("a variable without any value is an error at its block", () => {
    expect(evaluateAll('\nvariable "a" {}\n').problems).toEqual(["2:1 No value for required variable"]);
  });
});
