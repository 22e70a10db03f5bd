import { fork } from "node:child_process";
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { jobFolder, lockJob, openJob, replicateStateOf } from "../../../src/replicate/state/folder.ts";
import { systemClock } from "../../../src/util/clock.ts";
import { tempDir } from "../../harness/temp.ts";

const BUILT = fileURLToPath(new URL("../../../dist/replicate/state/folder.js", import.meta.url));

describe("replicateStateOf", () => {
  const env = { STATE_DIRECTORY: "/var/lib/lazyssh:/var/lib/other", XDG_STATE_HOME: "/x", HOME: "/h" };

  it.each([
    ["/flag", env, "/flag/replicate"],
    [undefined, env, "/var/lib/lazyssh/replicate"],
    [undefined, { XDG_STATE_HOME: "/x", HOME: "/h" }, "/x/lazyssh/replicate"],
    [undefined, { HOME: "/h" }, "/h/.local/state/lazyssh/replicate"],
    ["", { HOME: "/h", STATE_DIRECTORY: "" }, "/h/.local/state/lazyssh/replicate"],
  ])("takes the first that is said: %s %j", (flag, environment, path) => {
    expect(replicateStateOf(flag, environment)).toEqual({ path });
  });
});

describe("the folder of a job", () => {
  it("is open to its user alone, and is made only for what is written", async () => {
    const state = replicateStateOf(join(tempDir(), "new"), {});
    const folder = jobFolder(state, "safe");
    expect(() => statSync(state.path)).toThrow("ENOENT");
    await openJob(state, "safe");
    expect(statSync(state.path).mode & 0o777).toBe(0o700);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it.each(["", ".", "..", "a/b", "../x", "a b", "x".repeat(65)])("is never elsewhere: %j", async (name) => {
    const state = replicateStateOf(tempDir(), {});
    expect(() => jobFolder(state, name)).toThrow("cannot be the name of a job");
    await expect(lockJob(state, name, systemClock)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    expect(readdirSync(join(state.path, ".."))).toEqual([]);
  });

  it("says what to do when it cannot be made", async () => {
    const file = join(tempDir(), "file");
    writeFileSync(file, "");
    const state = replicateStateOf(file, {});
    const told = {
      code: "CONFIG_INVALID",
      message: expect.stringMatching(/cannot use .*file\/replicate: .*--state-dir/),
    };
    await expect(openJob(state, "safe")).rejects.toMatchObject(told);
    await expect(lockJob(state, "safe", systemClock)).rejects.toMatchObject(told);
  });
});

describe("lockJob", () => {
  it("lets each job run once at a time, and different ones side by side, whatever their names", async () => {
    // A server has its own lock in the folder above.
    const dir = tempDir();
    mkdirSync(join(dir, "lock.0123456"));
    const state = replicateStateOf(dir, {});
    const names = ["safe", "safe.2", "x".repeat(64)];
    for (const name of names) {
      const taking = await lockJob(state, name, systemClock);
      if (taking.kind === "held") throw new Error(`${name} is held`);
      onTestFinished(() => taking.lock.close());
    }
    for (const name of names) {
      const again = await lockJob(state, name, systemClock);
      expect(again).toEqual({ kind: "held", holder: { pid: process.pid, since: expect.any(Number) } });
    }
  });

  it("is free again when the run that had it was killed, and tells of it until then", async () => {
    const state = replicateStateOf(tempDir(), {});
    const script = join(tempDir(), "run.mjs");
    writeFileSync(
      script,
      `import { lockJob } from ${JSON.stringify(BUILT)};
       const clock = { now: () => 1234, sleep: () => new Promise(() => {}) };
       const { kind } = await lockJob({ path: process.argv[2] }, "safe", clock);
       setInterval(() => {}, 1000);
       process.send(kind);`,
    );
    const run = fork(script, [state.path]);
    onTestFinished(() => void run.kill("SIGKILL"));
    const exit = new Promise((exited) => run.once("exit", exited));
    expect(await new Promise((said) => run.once("message", said))).toBe("taken");
    const second = await lockJob(state, "safe", systemClock);
    expect(second).toEqual({ kind: "held", holder: { pid: run.pid, since: 1234 } });
    run.kill("SIGKILL");
    await exit;
    const third = await lockJob(state, "safe", systemClock);
    expect(third.kind).toBe("taken");
    if (third.kind === "taken") await third.lock.close();
    expect(readdirSync(join(state.path, "locks"))).toEqual([]);
  });
});
