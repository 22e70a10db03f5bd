import { describe, expect, it } from "vitest";
import { cureOf, cureOfWords, isModified, Trouble } from "../../../src/replicate/run/trouble.ts";
import { refusalWords } from "../../../src/replicate/run/words.ts";
import { lostError, sshError } from "../../../src/replicate/ssh/failure.ts";

describe("what may help", () => {
  it.each([
    ["cannot receive: dataset is busy", "again"],
    ["cannot hold 'tank/a@1': dataset does not exist", "replan"],
    [
      "cannot receive incremental stream: most recent snapshot of backup/a does not\nmatch incremental source",
      "replan",
    ],
    [
      "cannot receive incremental stream: destination backup/a has been modified\nsince most recent snapshot",
      "none",
    ],
    ["cannot receive: out of space", "none"],
    ["cannot receive new filesystem stream: permission denied", "none"],
    ["cannot receive: invalid stream (checksum mismatch)", "none"],
  ] as const)("%s: %s", (words, cure) => {
    expect(cureOfWords(words)).toBe(cure);
  });

  it("is a new connection for one that was lost, and nothing for one that is refused", () => {
    expect(cureOf(lostError("archiver", ""))).toBe("reconnect");
    expect(cureOf(sshError("archiver", "root@archiver: Permission denied (publickey).", 255))).toBe("none");
    expect(cureOf(new Trouble("pruned", "replan"))).toBe("replan");
    expect(cureOf(new TypeError("a bug"))).toBe("none");
    expect(isModified("destination backup/a has been modified")).toBe(true);
  });
});

describe("words for people", () => {
  it("say of a refusal what shows it, and what may help where", () => {
    const sides = { source: { name: "here", remote: false }, target: { name: "archiver", remote: true } };
    const refusal = {
      reason: "It has diverged.",
      evidence: Array.from({ length: 12 }, (_, n) => `archiver: backup/a@${n}`),
      remedies: [{ side: "target", argv: ["zfs", "rollback", "-r", "backup/a@1"] }] as const,
    };
    const words = refusalWords(refusal, sides);
    expect(words).toContain("It has diverged. What shows it: archiver: backup/a@0, ");
    expect(words).toMatch(
      /backup\/a@9 and 2 more\. Commands that may help: on archiver: zfs rollback -r backup\/a@1$/,
    );
  });
});
