import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { remotePipe } from "../../../src/replicate/pipeline/remote-pipe.ts";
import { requires } from "../../harness/requires.ts";

const SHELLS: Record<string, { needs: string; argv: string[] }> = {
  sh: { needs: "sh", argv: ["sh"] },
  dash: { needs: "dash", argv: ["dash"] },
  bash: { needs: "bash", argv: ["bash"] },
  busybox: { needs: "busybox", argv: ["busybox", "sh"] },
};

const PASS = ["cat"];
/** Reads all that it gets first, so that nobody loses a reader by it. */
const fail = (status: number) => ["sh", "-c", `cat; echo "I am number ${status}" >&2; exit ${status}`];

function runWith(shell: readonly string[], stages: readonly (readonly string[])[], input = "a line\\n") {
  const [, ...rest] = remotePipe(stages);
  const [program = "", ...args] = [...shell, ...rest];
  const { status, stdout, stderr } = spawnSync(program, args, { input, maxBuffer: 64 * 1024 * 1024 });
  return { status, stdout: stdout.toString(), stderr: stderr.toString() };
}

describe.each(Object.entries(SHELLS))("stages joined by %s", (_, { needs, argv }) => {
  const itWith = requires(needs);

  itWith("pass all on, and are well when all are", () => {
    const input = "x".repeat(300_000);
    expect(runWith(argv, [PASS, PASS, PASS], input)).toEqual({ status: 0, stdout: input, stderr: "" });
  });

  itWith("take each word as it is", () => {
    const words = ["it's", "a b", '"$HOME"', "*", "\\\\n", "", "line\nline", "-n"];
    const { stdout } = runWith(argv, [PASS, ["printf", "<%s>", ...words]]);
    expect(stdout).toBe(words.map((word) => `<${word}>`).join(""));
  });

  itWith("have the status of whichever failed, and say which it was", () => {
    for (const [index, status] of [3, 4, 5].entries()) {
      const stages = [PASS, PASS, PASS].map((stage, at) => (at === index ? fail(status) : stage));
      const result = runWith(argv, stages);
      expect(result).toMatchObject({ status, stdout: "a line\\n" });
      expect(result.stderr).toBe(`I am number ${status}\nsh exited with status ${status}\n`);
    }
  });

  itWith("take a stage that merely lost its reader for the last to blame", () => {
    const quits = ["sh", "-c", "head -c 10 >/dev/null; sleep 0.1; exit 6"];
    const { status, stderr } = runWith(argv, [["sh", "-c", "exec cat /dev/zero"], quits]);
    expect(status).toBe(6);
    expect(stderr).toContain("sh exited with status 141\n");
    expect(stderr).toContain("sh exited with status 6\n");
  });

  itWith("fail when a stage is killed, or is not there", () => {
    expect(runWith(argv, [["sh", "-c", "kill -KILL $$"], PASS]).status).toBe(137);
    const absent = runWith(argv, [PASS, ["lazyssh-no-such-program"]]);
    expect(absent.status).toBe(127);
    expect(absent.stderr).toContain("lazyssh-no-such-program exited with status 127");
  });

  itWith("fail when the shell around a stage is killed, so that its status is not known", () => {
    const { status, stderr } = runWith(argv, [["sh", "-c", "kill -KILL $PPID"], PASS]);
    expect(status).toBe(1);
    expect(stderr).toContain("a stage was ended before its status was known\n");
  });
});

describe("a remote pipe", () => {
  it("of one stage is that stage", () => {
    expect(remotePipe([["zfs", "recv", "a b"]])).toEqual(["zfs", "recv", "a b"]);
  });

  it("needs a stage", () => {
    expect(() => remotePipe([])).toThrow(RangeError);
  });
});
