import fc from "fast-check";
import { expect, test } from "vitest";
import { diagnosticsToJson, parseConfig, renderDiagnostics } from "../../src/config/index.ts";
import { literalDocument, mutated } from "./documents.ts";
import { evaluateAll, load, server } from "./support.ts";

const VALID = `${server}
locals {
  zone = "us-west-2d"
}
target "archiver" "aws_ec2" {
  image_id      = "ami-1"
  instance_type = "t4g.nano"
  key_name      = "me"
  linger        = "1h30m"
  user_data     = <<-EOT
    #!/bin/sh
    echo "\${local.zone}" %{ if 1 < 2 }\${jsonencode([for x in [1, 2] : x * 2])}%{ endif }
    EOT
  placement { availability_zone = local.zone }
  ebs_block_device {
    device_name = "/dev/xvda"
    volume_size = 2 * 4
  }
}
`;

function soundly(bytes: Uint8Array): void {
  const result = parseConfig(bytes, { file: "x.hcl", env: {} });
  const errors = result.diagnostics.filter(({ severity }) => severity === "error");
  expect(result.config === undefined).toBe(errors.length > 0);
  const lines = Buffer.from(bytes).toString().split("\n").length;
  for (const { range } of result.diagnostics) {
    if (range === undefined) continue;
    expect(range.start.line).toBeGreaterThanOrEqual(1);
    expect(range.end.line).toBeLessThanOrEqual(lines);
    expect(range.start.column).toBeGreaterThanOrEqual(1);
    expect(range.start.byte).toBeLessThanOrEqual(range.end.byte);
    expect(range.end.byte).toBeLessThanOrEqual(bytes.length);
  }
  renderDiagnostics(result.diagnostics, result.sources, { color: true });
  for (const { snippet } of diagnosticsToJson(result.diagnostics, result.sources).diagnostics) {
    if (snippet) expect(snippet.highlight_end_offset).toBeLessThanOrEqual([...snippet.code].length);
  }
}

test("a literal document has the value it was written from", () => {
  fc.assert(
    fc.property(literalDocument, ({ text, value }) => {
      expect(evaluateAll(text)).toEqual({ value, problems: [] });
    }),
    { numRuns: 500 },
  );
});

test("random bytes give diagnostics within the file, or a config, and never an exception", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), soundly), { numRuns: 500 });
});

test("random text made of the language's own signs does so too", () => {
  const sign = fc.constantFrom(
    ..."{}[]()=,.:?!+-*/%<>&|\"'\\#~$ \n\t",
    "${",
    "%{",
    "~}",
    "<<E\n",
    "E\n",
    "for",
    "if",
    "in",
    "a",
    "1",
    "server ",
    "é",
    "👩‍👩‍👧",
    "\r\n",
    "...",
    "=>",
  );
  fc.assert(
    fc.property(fc.string({ unit: sign, maxLength: 60 }), (text) => soundly(Buffer.from(text))),
    { numRuns: 1500 },
  );
});

test("a valid config that was damaged does so too", () => {
  expect(load(VALID).diagnostics).toEqual([]);
  fc.assert(
    fc.property(mutated(VALID), (text) => soundly(Buffer.from(text))),
    { numRuns: 500 },
  );
});

test.each([
  ["brackets", `x = ${"[".repeat(100_000)}`],
  ["braces", `x = ${"{a=".repeat(100_000)}`],
  ["parentheses", `x = ${"(".repeat(100_000)}1${")".repeat(100_000)}`],
  ["blocks", "a {\n".repeat(100_000)],
  ["templates", `x = ${'"${'.repeat(100_000)}`],
  ["signs", `x = ${"-".repeat(100_000)}1`],
  ["sums", `x = 1${" + 1".repeat(100_000)}`],
  ["conditions", `x = ${"true ? 1 : ".repeat(100_000)}1`],
  ["steps", `x = a${".b".repeat(100_000)}`],
  ["splats", `x = a${"[*]".repeat(100_000)}`],
  ["directives", `x = "${"%{ if true }".repeat(50_000)}"`],
  ["functions", `x = ${"file(".repeat(100_000)}`],
  [
    "locals",
    `locals {\n${Array.from({ length: 5000 }, (_, i) => `a${i} = local.a${i + 1}\n`).join("")}a5000 = 1\n}\n`,
  ],
])("very deep nesting of %s is an error like any other", (_what, text) => {
  const { diagnostics } = load(text);
  expect(diagnostics.length).toBeGreaterThan(0);
  expect(diagnostics.length).toBeLessThanOrEqual(100);
});

test("a config that multiplies itself is stopped", () => {
  const doubling = Array.from(
    { length: 40 },
    (_, i) => `a${i + 1} = "\${local.a${i}}\${local.a${i}}"\n`,
  ).join("");
  const loops = "[for a in local.l : [for b in local.l : [for c in local.l : [for d in local.l : 1]]]]";
  const list = `l = [${"1,".repeat(200)}]`;
  for (const text of [`locals {\na0 = "x"\n${doubling}}\n`, `locals {\n${list}\nx = ${loops}\n}\n`]) {
    expect(load(text).diagnostics.map(({ summary }) => summary)).toContain(
      "Configuration too large to evaluate",
    );
  }
});

test.each<[string, string]>([
  ["arguments", Array.from({ length: 60_000 }, (_, i) => `a${i} = "value"\n`).join("")],
  ["one long line", `x = "${"é".repeat(500_000)}" y\n`],
  ["one long list", `x = [${'"a", '.repeat(200_000)}]\n`],
  ["escapes", `x = "${"\\n".repeat(500_000)}"\n`],
  ["garbage", "' ; & ~ ".repeat(125_000)],
  ["lines of garbage", "= '\n".repeat(250_000)],
  ["a heredoc without end", `x = <<E\n${"line\n".repeat(200_000)}`],
  ["heredocs without end", "x = <<E\n".repeat(125_000)],
  ["unclosed lists", "x = [\n".repeat(160_000)],
  ["unclosed strings", 'x = "\n'.repeat(200_000)],
  ["comments", "/*".repeat(500_000)],
  ["key material", `${"aB3".repeat(23)}\n`.repeat(14_000)],
])("a megabyte of %s is read in linear time", (_what, text) => {
  const started = performance.now();
  const result = parseConfig(Buffer.from(text), { file: "x.hcl", env: {} });
  renderDiagnostics(result.diagnostics, result.sources);
  // Anything quadratic takes minutes.
  expect(performance.now() - started).toBeLessThan(15_000);
});
