import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type HookOptions, runHooks } from "../../../src/replicate/report/hooks.ts";
import { startToJson, toJson } from "../../../src/replicate/report/json.ts";
import { type Clock, systemClock } from "../../../src/util/clock.ts";
import { tempDir } from "../../harness/temp.ts";
import { failed, outcome } from "./given.ts";

const report = toJson(outcome({ status: "partial", datasets: [failed] }), { env: {} });
const PATH = process.env.PATH;

/** A minute is over as soon as there is something in the file, and all else is, too. */
function hasty(file: string): Clock {
  const sleep = async (ms: number, signal?: AbortSignal) => {
    if (ms < 60_000) return systemClock.sleep(ms / 100, signal);
    while (!existsSync(file) || readFileSync(file, "utf8") === "") await systemClock.sleep(5, signal);
  };
  return { now: systemClock.now, sleep };
}

function run(argv: readonly string[], options: Partial<HookOptions> = {}) {
  return runHooks([{ kind: "command", argv }], {
    event: "success",
    report,
    env: { PATH },
    clock: systemClock,
    signal: new AbortController().signal,
    warn: () => undefined,
    ...options,
  });
}

const sh = (script: string, ...args: readonly string[]) => ["sh", "-c", script, "sh", ...args];

describe("a hook that is a command", () => {
  it("has the report as standard input, and in its environment how the run ended", async () => {
    const dir = tempDir();
    const script = 'cat >"$1/report"; env >"$1/env"; printf %s "$2" >"$1/word"';
    const env = { PATH, SERVICE_RESULT: "exit-code", EXIT_CODE: "exited", EXIT_STATUS: "3" };
    const said = await run(sh(script, dir, "a 'b' $c; \"d\""), { env });
    expect(said).toEqual({ warnings: [], errors: [] });
    const read = (name: string) => readFileSync(join(dir, name), "utf8");
    expect(JSON.parse(read("report"))).toEqual(report);
    expect(read("word")).toBe("a 'b' $c; \"d\"");
    for (const line of [
      "LAZYSSH_JOB=safe",
      "LAZYSSH_STATUS=partial",
      "LAZYSSH_EXIT_CODE=3",
      "SERVICE_RESULT=exit-code",
      "EXIT_CODE=exited",
      "EXIT_STATUS=3",
    ]) {
      expect(read("env").split("\n")).toContain(line);
    }
  });

  it("has no exit code at the start", async () => {
    const dir = tempDir();
    const env = { PATH, LAZYSSH_EXIT_CODE: "of another run" };
    const start = { event: "start", report: startToJson("safe", 0, { env: {} }) } as const;
    await run(sh('echo "$LAZYSSH_STATUS$LAZYSSH_EXIT_CODE" >"$1/said"', dir), { env, ...start });
    expect(readFileSync(join(dir, "said"), "utf8")).toBe("started\n");
  });

  it("need not read what it gets, however much that is", async () => {
    const long = toJson(outcome({ warnings: ["x".repeat(2_000_000)] }), { env: {} });
    expect(await run(["true"], { report: long })).toEqual({ warnings: [], errors: [] });
  });

  it.each([
    [sh("exit 1"), "sh: it ended with status 1"],
    [
      sh("echo one; echo two >&2; printf '\\033[2Jthree\\n' >&2; exit 7"),
      "sh: it ended with status 7: two; [2Jthree",
    ],
    [sh("kill -9 $$"), "sh: it was ended by SIGKILL"],
    [
      ["/nowhere/mail-me", "x"],
      "/nowhere/mail-me: cannot start /nowhere/mail-me: there is no such program on the PATH",
    ],
  ])("is told of when it fails: %j", async (argv, problem) => {
    expect(await run(argv)).toEqual({ warnings: [`on_success: ${problem}`], errors: [] });
  });

  it("is an error where nobody has been told of a failure", async () => {
    expect(await run(sh("exit 1"), { event: "failure" })).toEqual({
      warnings: [],
      errors: [
        "on_failure: sh: it ended with status 1. Who relies on it has not been told that the run failed",
      ],
    });
  });

  it("is ended when it hangs, with all that it has started", async () => {
    const file = join(tempDir(), "pid");
    const { warnings } = await run(sh('sleep 1000 & echo $! >"$1"; wait', file), { clock: hasty(file) });
    expect(warnings).toEqual(["on_success: sh: it had not ended after 60 s, and was ended"]);
    const pid = Number(readFileSync(file, "utf8"));
    const state = () => {
      const path = `/proc/${pid}/stat`;
      return existsSync(path) ? readFileSync(path, "utf8").split(" ")[2] : "gone";
    };
    await expect.poll(state).toMatch(/^(gone|Z)$/);
  });

  it("is ended when the run is interrupted", async () => {
    const interrupt = new AbortController();
    const file = join(tempDir(), "runs");
    const running = run(sh('>"$1"; exec sleep 1000', file), { signal: interrupt.signal });
    await expect.poll(() => existsSync(file), { timeout: 10_000 }).toBe(true);
    interrupt.abort();
    const problem = "on_success: sh: it was ended, because the run was interrupted";
    expect((await running).warnings).toEqual([problem]);
  });
});
