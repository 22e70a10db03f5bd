import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { summary, table } from "../../bench/figures.ts";
import { readFlags, USAGE } from "../../bench/flags.ts";

const page = readFileSync("docs/performance.md", "utf8");

test("figures are medians, and ratios those of each round", () => {
  const figure = { name: "bulk up", unit: "MB/s", lazyssh: [100, 400, 300], sshd: [100, 200, 100] };
  const { lazyssh, sshd, ratio } = summary(figure);
  expect([lazyssh.median, sshd?.median, ratio?.median, ratio?.min, ratio?.max]).toEqual([300, 100, 2, 1, 3]);
});

test("the table has a line for each, with the ratio where there is something to compare with", () => {
  const text = table([
    { name: "bulk up", unit: "MB/s", lazyssh: [1234.5, 900, 1000], sshd: [500, 500, 500] },
    { name: "start", unit: "ms", lazyssh: [300, 200, 0.1234] },
  ]);
  expect(text.split("\n").map((line) => line.trim().split(/ {2,}/))).toEqual([
    ["lazyssh", "sshd", "ratio", "spread"],
    ["bulk up", "MB/s", "1000", "500", "2.00", "1.80 to 2.47"],
    ["start", "ms", "200", "0.123 to 300"],
  ]);
});

test("every command in the manual is understood, and every flag is in the usage", () => {
  const commands = [...page.matchAll(/^npm run bench(?: -- (.*?))?\s*(?:#.*)?$/gm)];
  expect(commands.length).toBeGreaterThan(2);
  for (const [, args = ""] of commands) {
    const words = args.split(" ").filter(Boolean);
    expect(() => readFlags(words)).not.toThrow();
    for (const flag of words.filter((word) => word.startsWith("--"))) expect(USAGE).toContain(flag);
  }
});

test.each([["--rounds", "0"], ["--rounds", "many"], ["--mib", "-1"], ["--nonsense"]])(
  "%s %s is refused",
  (...args) => {
    expect(() => readFlags(args)).toThrow(/--/);
  },
);
