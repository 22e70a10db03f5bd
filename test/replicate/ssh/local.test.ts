import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { localSide } from "../../../src/replicate/ssh/local.ts";
import { requires } from "../../harness/requires.ts";
import { tempDir } from "../../harness/temp.ts";
import { eventually } from "../../harness/world.ts";

const never = new AbortController().signal;
const here = localSide();

/** Whether it runs; one that has ended may still wait for somebody to ask for its status. */
function runs(pid: string): boolean {
  const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", pid], { encoding: "utf8" });
  return stdout.trim() !== "" && !stdout.trim().startsWith("Z");
}

describe.concurrent("localSide", () => {
  it("gives output, errors and status, in English", async () => {
    const ran = await here.run(["sh", "-c", 'cat; echo "$LC_ALL" >&2; exit 3'], {
      signal: never,
      input: "a\nb",
    });
    expect(ran).toEqual({ status: 3, signal: undefined, stdout: "a\nb", stderr: "C\n" });
  });

  it("tells of a signal", async () => {
    const ran = await here.run(["sh", "-c", "kill -9 $$"], { signal: never });
    expect([ran.status, ran.signal]).toEqual([undefined, "SIGKILL"]);
  });

  it("keeps the end of what went wrong, and all of the output", async () => {
    const script =
      "head -c 5000000 /dev/zero | tr '\\0' x; head -c 100000 /dev/zero | tr '\\0' y >&2; echo end >&2";
    const { stdout, stderr } = await here.run(["sh", "-c", script], { signal: never });
    expect(stdout.length).toBe(5_000_000);
    expect(stderr.length).toBe(65_536);
    expect(stderr.endsWith("yend\n")).toBe(true);
  });

  it("rejects rather than to hand out a part of what is too much", async () => {
    const script = "exec head -c 70000000 /dev/zero";
    await expect(here.run(["sh", "-c", script], { signal: never })).rejects.toThrow("more than 64 MiB");
  });

  it("says which program there is none of", async () => {
    await expect(here.run(["/nowhere/zfs", "list"], { signal: never })).rejects.toThrow(
      "cannot start /nowhere/zfs: there is no such file",
    );
    await expect(here.run(["no-such-zfs", "list"], { signal: never })).rejects.toThrow(
      "cannot start no-such-zfs: there is no such program on the PATH",
    );
  });

  requires("ps")("ends the whole group when it is aborted, also what does not listen", async (test) => {
    const file = join(tempDir(test), "pids");
    const abort = new AbortController();
    const stubborn = `trap "" TERM; echo $$ >> ${file}; while :; do sleep 1; done`;
    const ran = here.run(["sh", "-c", `sh -c '${stubborn}' & ${stubborn}`], { signal: abort.signal });
    const pids = await eventually("both scripts to run", () => {
      const lines = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
      return lines.length === 2 && lines;
    });
    abort.abort(new Error("enough"));
    await expect(ran).rejects.toThrow("enough");
    await eventually("the group to be gone", () => !pids.some(runs));
  });

  it("does not wait for what a command leaves in the background", async () => {
    const started = Date.now();
    const { stdout } = await here.run(["sh", "-c", "sleep 25 & echo done"], { signal: never });
    expect(stdout).toBe("done\n");
    expect(Date.now() - started).toBeLessThan(15_000);
  });
});
