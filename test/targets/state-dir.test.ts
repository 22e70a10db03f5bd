import { fork } from "node:child_process";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { chooseStateDir, openStateDir, type StateDirChoice } from "../../src/targets/index.ts";
import { tempDir } from "../harness/temp.ts";

async function open(choice: StateDirChoice) {
  const dir = await openStateDir(choice);
  onTestFinished(() => dir.close());
  return dir;
}

const chosen = (path: string): StateDirChoice => ({ path, isDefault: false });

describe("chooseStateDir", () => {
  const env = { STATE_DIRECTORY: "/var/lib/lazyssh:/var/lib/other", XDG_STATE_HOME: "/x", HOME: "/h" };

  it.each([
    [{ flag: "/flag", config: "/config" }, env, "/flag", false],
    [{ flag: undefined, config: "/config" }, env, "/config", false],
    [{ flag: undefined, config: undefined }, env, "/var/lib/lazyssh", false],
    [{ flag: undefined, config: undefined }, { XDG_STATE_HOME: "/x", HOME: "/h" }, "/x/lazyssh", true],
    [{ flag: undefined, config: undefined }, { HOME: "/h" }, "/h/.local/state/lazyssh", true],
  ])("takes the first that is said: %j", (said, environment, path, isDefault) => {
    expect(chooseStateDir(said, environment)).toEqual({ path, isDefault });
  });
});

describe("openStateDir", () => {
  it("makes the folder for its user alone and keeps one owner id in it", async () => {
    const path = join(tempDir(), "state");
    const first = await openStateDir(chosen(path));
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(readFileSync(join(path, "owner"), "utf8").trim()).toBe(first.owner);
    await first.close();
    const second = await open(chosen(path));
    expect(second.owner).toBe(first.owner);
  });

  it("refuses a folder that another server holds, and says what to do", async () => {
    const path = tempDir();
    await open(chosen(path));
    await expect(openStateDir(chosen(path))).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("--state-dir"),
    });
  });

  it("takes the next free sibling when nobody chose the folder", async () => {
    const path = join(tempDir(), "lazyssh");
    const first = await open({ path, isDefault: true });
    const second = await open({ path, isDefault: true });
    expect([first.path, second.path]).toEqual([path, `${path}-2`]);
    expect(first.owner).not.toBe(second.owner);
  });

  it("takes the folder of a server that was killed", async () => {
    const path = tempDir();
    // A holder that dies without cleaning up: the socket file stays, nobody listens.
    const script = join(tempDir(), "holder.mjs");
    writeFileSync(
      script,
      'import { createServer } from "node:net"; createServer().listen(process.argv[2], () => process.send("held"));',
    );
    const holder = fork(script, [join(path, "lock")]);
    await new Promise((held) => holder.once("message", held));
    await expect(openStateDir(chosen(path))).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    const exit = new Promise((exited) => holder.once("exit", exited));
    holder.kill("SIGKILL");
    await exit;
    await open(chosen(path));
  });

  it("says so when the folder cannot be made", async () => {
    const file = join(tempDir(), "file");
    writeFileSync(file, "");
    await expect(openStateDir(chosen(join(file, "state")))).rejects.toThrow(
      /cannot use the state directory .*--state-dir/,
    );
  });

  it("says so when the path leaves no room for a socket in it", async () => {
    const path = join(tempDir(), "a".repeat(120));
    mkdirSync(path);
    await expect(openStateDir(chosen(path))).rejects.toThrow("longer than the 90 bytes");
  });
});
