import { spawn } from "node:child_process";
import { once } from "node:events";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { endGroup } from "../../../src/replicate/ssh/run.ts";
import { Shell } from "../../../src/replicate/ssh/shell.ts";
import { type Clock, stayAlive, systemClock } from "../../../src/util/clock.ts";

const never = new AbortController().signal;
let awake: Disposable;
beforeAll(() => {
  awake = stayAlive();
});
afterAll(() => awake[Symbol.dispose]());

/** A shell of this system; `script` is run before it reads what it is sent. */
function start(script = "", clock: Clock = systemClock): { shell: Shell; pid: number } & AsyncDisposable {
  const child = spawn("sh", ["-c", `${script}\nexec sh`], {
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const { stdin, stdout, stderr, pid = 0 } = child;
  const ended = once(child, "close");
  const kill = () => endGroup(child, systemClock);
  return {
    shell: new Shell({ stdin, stdout, stderr, ended, kill }, clock),
    pid,
    async [Symbol.asyncDispose]() {
      stdin.end();
      await kill();
      await ended;
    },
  };
}

const print = (out: string, said: string, status = 0) =>
  ["sh", "-c", `printf %s "$1"; printf %s "$2" >&2; exit ${status}`, "sh", out, said] as const;

describe("a shell", () => {
  it("tells of each command what it has printed, to the byte, and how it ended", async () => {
    await using started = start();
    const text = fc.string({ unit: "binary", maxLength: 300 }).map((words) => words.replaceAll("\0", "\n"));
    await fc.assert(
      fc.asyncProperty(text, text, fc.nat(100), async (out, said, status) => {
        const ran = await started.shell.run(print(out, said, status), never);
        expect(ran).toEqual({ status, signal: undefined, stdout: out, stderr: said });
      }),
      { numRuns: 60 },
    );
    expect(started.shell.unasked).toBe("");
  });

  it("has every byte of an answer that comes in many pieces", async () => {
    await using started = start();
    const ran = await started.shell.run(["seq", "1", "200000"], never);
    expect(ran?.stdout.split("\n").slice(-3)).toEqual(["199999", "200000", ""]);
    expect(ran?.stdout).toHaveLength(1_288_895);
  });

  it("gives commands nothing to read, and lets none of them change the next", async () => {
    await using started = start();
    expect(await started.shell.run(["cat"], never)).toMatchObject({ status: 0, stdout: "" });
    await started.shell.run(["cd", "/"], never);
    await started.shell.run(["exit", "3"], never);
    const there = await started.shell.run(["pwd", "-P"], never);
    expect(there?.stdout).toBe(`${process.cwd()}\n`);
  });

  it("tells of a signal, and of a program that is not there", async () => {
    await using started = start();
    const killed = await started.shell.run(["sh", "-c", "kill -9 $$"], never);
    expect(killed).toMatchObject({ status: undefined, signal: "SIGKILL" });
    const absent = await started.shell.run(["/nowhere/zfs"], never);
    expect([absent?.status, absent?.stderr]).toEqual([127, expect.stringContaining("/nowhere/zfs")]);
  });

  it("is not misled by what its start prints", async () => {
    await using started = start("echo welcome; echo news >&2");
    expect((await started.shell.run(["true"], never))?.status).toBe(0);
    expect(await started.shell.run(["echo", "one"], never)).toMatchObject({ stdout: "one\n", stderr: "" });
  });

  it("runs one after the other, and leaves to others what would wait", async () => {
    // That waits for the other one longer than is usual, since the start of the shell is a part of it.
    const patient: Clock = {
      now: systemClock.now,
      sleep: (ms, signal) => systemClock.sleep(40 * ms, signal),
    };
    await using calm = start("", patient);
    const [quick, also] = await Promise.all([
      calm.shell.run(["echo", "1"], never),
      calm.shell.run(["echo", "2"], never),
    ]);
    expect([quick?.stdout, also?.stdout]).toEqual(["1\n", "2\n"]);
    await using started = start();
    const { shell } = started;
    const slow = shell.run(["sleep", "0.8"], never);
    expect(await shell.run(["echo", "3"], never)).toBeUndefined();
    expect((await slow)?.status).toBe(0);
    expect((await shell.run(["echo", "4"], never))?.stdout).toBe("4\n");
  });

  it("that ends under a command says so, with what was said; and takes no other", async () => {
    await using started = start();
    const { shell, pid } = started;
    const cut = shell.run(["sh", "-c", `echo half; echo why >&2; kill -9 ${pid}; sleep 1`], never);
    expect(await cut).toEqual({ status: 255, signal: undefined, stdout: "half\n", stderr: "why\n" });
    expect(shell.unasked).toBe("why\n");
    expect(await shell.run(["true"], never)).toBeUndefined();
  });

  it("ends with a command that is not wanted any more, or prints without end", async () => {
    await using started = start();
    const abort = new AbortController();
    const waiting = started.shell.run(["sleep", "100"], abort.signal);
    abort.abort(new Error("not wanted"));
    await expect(waiting).rejects.toThrow("not wanted");
    expect(await started.shell.run(["true"], never)).toBeUndefined();

    await using other = start();
    await expect(other.shell.run(["yes"], never)).rejects.toThrow("yes has printed more than 64 MiB");
  });
});
