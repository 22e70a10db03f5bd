import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { matchesGlob } from "../../src/util/glob.ts";

/** What it should say, by trying everything. */
function naive(pattern: string, text: string): boolean {
  const [first] = pattern;
  if (first === undefined) return text === "";
  if (first === "*") return naive(pattern.slice(1), text) || (text !== "" && naive(pattern, text.slice(1)));
  return text !== "" && (first === "?" || first === text[0]) && naive(pattern.slice(1), text.slice(1));
}

describe("a pattern", () => {
  test.each([
    ["*", "", true],
    ["*", "anything", true],
    ["", "", true],
    ["", "a", false],
    ["?", "", false],
    ["?", "a", true],
    ["?", "ab", false],
    ["db-*", "db-1", true],
    ["db-*", "db-", true],
    ["db-*", "xdb-1", false],
    ["*.dev", "x.y.dev", true],
    ["*.dev", "dev", false],
    ["a*b*c", "a-b-b-c", true],
    ["a*b*c", "a-c-b", false],
    ["A", "a", false],
    ["a.c", "abc", false],
    ["[ab]", "a", false],
    ["a\\*", "a\\b", true],
  ])("%j matches %j: %j", (pattern, text, expected) => {
    expect(matchesGlob(pattern, text)).toBe(expected);
  });

  test("matches what trying everything matches", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "*", "?"), maxLength: 9 });
    const texts = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 9 });
    fc.assert(
      fc.property(letters, texts, (pattern, text) => {
        expect(matchesGlob(pattern, text)).toBe(naive(pattern, text));
      }),
      { numRuns: 5_000 },
    );
  });

  test("takes no longer for what would make others try everything", () => {
    const pattern = `${"*a".repeat(50)}*b`;
    const before = performance.now();
    expect(matchesGlob(pattern, "a".repeat(100_000))).toBe(false);
    // 10 million steps at most; one that backtracks would not come back.
    expect(performance.now() - before).toBeLessThan(10_000);
  });
});
