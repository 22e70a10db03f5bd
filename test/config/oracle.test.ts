import fc from "fast-check";
import hcl from "hcl2-parser";
import { expect, test } from "vitest";
import { Findings } from "../../src/config/diagnostic.ts";
import { SourceText } from "../../src/config/source.ts";
import { parseSource } from "../../src/config/syntax/body.ts";
import { literalDocument, mutated } from "./documents.ts";
import { evaluateAll } from "./support.ts";

/** It is slow: compiled to JavaScript, a parse takes it 20 ms. */
const LIMITS = { numRuns: 300, interruptAfterTimeLimit: 12_000, markInterruptAsFailure: false };

function accepts(text: string): boolean {
  const findings = new Findings();
  parseSource(new SourceText("x.hcl", text), findings);
  return findings.errorCount === 0;
}

test("literal documents have the value that HashiCorp's parser gives them", () => {
  fc.assert(
    fc.property(
      // It shows a literal "${" and a template alike.
      literalDocument.filter(({ text }) => !/[$%]\{/.test(text)),
      ({ text }) => {
        const [value, error] = hcl.parseToObject(text);
        expect(error).toBeNull();
        expect(evaluateAll(text)).toEqual({ value, problems: [] });
      },
    ),
    LIMITS,
  );
});

test("damaged documents are refused exactly when HashiCorp's parser refuses them", () => {
  fc.assert(
    fc.property(
      literalDocument
        .chain(({ text }) => mutated(text))
        .map((text) => `${text}\n`)
        // It lets a backslash pass before a character of more than one byte.
        .filter((text) => !/\\[\u0080-\u{10ffff}]/u.test(text)),
      (text) => {
        const [, error] = hcl.parseToObject(text);
        expect(accepts(text)).toBe(error === null);
      },
    ),
    LIMITS,
  );
});
