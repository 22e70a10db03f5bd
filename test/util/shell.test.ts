import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { quote, quoteWhereNeeded } from "../../src/util/shell.ts";
import { requires } from "../harness/requires.ts";

/** Anything that an argument can hold: no NUL, no half of a surrogate pair. */
const word = fc.oneof(
  fc.string({ unit: "binary" }).map((text) => text.replaceAll("\0", "")),
  fc.string({
    unit: fc.constantFrom("'", "\\", '"', "$", "`", "!", "\n", " ", "*", "~", "#", "a", "-", "="),
  }),
);
const commands = fc.array(fc.array(word, { minLength: 1, maxLength: 6 }), { minLength: 40, maxLength: 40 });

/** What the shell makes of each of the commands, as one list of words for all. */
function split(shell: string, lines: readonly string[]): string[] {
  const script = lines.map((line) => `printf '%s\\0' ${line}`).join("\n");
  return execFileSync(shell, ["-c", script]).toString().split("\0").slice(0, -1);
}

const SHELLS = ["sh", "bash", "dash"];

function rejoined(shell: string, join: (argv: readonly string[]) => string): void {
  fc.assert(
    fc.property(commands, (argvs) => {
      expect(split(shell, argvs.map(join))).toEqual(argvs.flat());
    }),
    { numRuns: 25 },
  );
}

describe("a quoted command", () => {
  for (const shell of SHELLS) {
    requires(shell)(`is split into the same words by ${shell}`, () => rejoined(shell, quote));
  }

  it("leaves no word bare, and no backslash inside of quotes", () => {
    expect(quote(["zfs", "recv", "a b", "it's", "c:\\d\\", ""])).toBe(
      "'zfs' 'recv' 'a b' 'it'\\''s' 'c:'\\\\'d'\\\\'' ''",
    );
  });

  it("refuses what no argument can hold", () => {
    expect(() => quote(["a\0b"])).toThrow("NUL");
  });
});

describe("a command that is quoted where it is needed", () => {
  for (const shell of SHELLS) {
    requires(shell)(`is split into the same words by ${shell}`, () => rejoined(shell, quoteWhereNeeded));
  }

  it("leaves bare what no shell sees anything in", () => {
    const argv = [
      "aws",
      "--endpoint-url",
      "http://[::1]:80/",
      "--region=eu-1",
      "a_b@c,d%+",
      "x#1",
      "#1",
      "it's",
      "",
    ];
    expect(quoteWhereNeeded(argv)).toBe(
      "aws --endpoint-url 'http://[::1]:80/' --region=eu-1 a_b@c,d%+ x#1 '#1' 'it'\\''s' ''",
    );
  });
});
