import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { matchesGlob } from "../../src/util/glob.ts";

describe("a glob", () => {
  it.each([
    ["*.dev", "a.dev", true],
    ["*.dev", ".dev", true],
    ["*.dev", "a.dev.org", false],
    ["*.dev", "A.DEV", false],
    ["a?c", "abc", true],
    ["a?c", "ac", false],
    ["*", "", true],
    ["", "", true],
    ["", "a", false],
    ["a*b*c", "aXbYbZc", true],
    ["a*b*c", "aXcYb", false],
    ["a.c", "abc", false],
    ["**a**", "bab", true],
  ])("%s and %s: %s", (pattern, text, matches) => expect(matchesGlob(pattern, text)).toBe(matches));

  it("means what the regular expression of the same shape means", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "*", "?", ".") });
    const words = fc.string({ unit: fc.constantFrom("a", "b", ".") });
    fc.assert(
      fc.property(letters, words, (pattern, text) => {
        const source = pattern.replaceAll(".", "\\.").replaceAll("?", ".").replaceAll(/\*+/g, ".*");
        expect(matchesGlob(pattern, text)).toBe(new RegExp(`^${source}$`).test(text));
      }),
    );
  });

  it("takes no time to speak of for a pattern made to take it", () => {
    const pattern = `${"a*".repeat(64)}b`;
    const since = performance.now();
    expect(matchesGlob(pattern, "a".repeat(10_000))).toBe(false);
    expect(performance.now() - since).toBeLessThan(2_000);
  });
});
