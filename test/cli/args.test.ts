import { describe, expect, it } from "vitest";
import { normalizeArguments } from "../../src/cli/args.ts";

const commands = ["serve", "check", "dev", "demo"];

describe("normalizeArguments", () => {
  it.each([
    [[], ["serve"]],
    [
      ["-config", "a.hcl"],
      ["serve", "--config", "a.hcl"],
    ],
    [["-config=a.hcl"], ["serve", "--config=a.hcl"]],
    [
      ["--config", "a.hcl"],
      ["serve", "--config", "a.hcl"],
    ],
    [
      ["-c", "a.hcl"],
      ["serve", "-c", "a.hcl"],
    ],
    [
      ["check", "-config", "a.hcl", "-var", "x=-config"],
      ["check", "--config", "a.hcl", "--var", "x=-config"],
    ],
    [["serve"], ["serve"]],
    [["--help"], ["--help"]],
    [["-help"], ["--help"]],
    [["--version"], ["--version"]],
    [["sevre"], ["sevre"]],
    [
      ["check", "--", "-config"],
      ["check", "--", "-config"],
    ],
    [
      ["replicate", "-config=a.hcl", "-Jlazyssh", "-r", "-p22", "a"],
      ["replicate", "--config=a.hcl", "-J", "lazyssh", "-r", "-p", "22", "a"],
    ],
    [
      ["replicate", "--help"],
      ["replicate", "JOB", "--help"],
    ],
    [
      ["replicate", "check", "--help"],
      ["replicate", "check", "--help"],
    ],
  ])("%j becomes %j", (typed, taken) => {
    expect(normalizeArguments(typed, commands)).toEqual(taken);
  });
});
