import { fork } from "node:child_process";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { chooseStateDir, openStateDir, type StateDirChoice, stateDirOf } from "../../../src/targets/index.ts";
import { tempDir } from "../../harness/temp.ts";

async function open(choice: StateDirChoice, config = "config.hcl") {
  const dir = await openStateDir(choice, config);
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
    const first = await openStateDir(chosen(path), "config.hcl");
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(readFileSync(join(path, "owner"), "utf8").trim()).toBe(first.owner);
    await first.close();
    const second = await open(chosen(path));
    expect(second.owner).toBe(first.owner);
  });

  it("refuses a folder that another server holds, and says what to do", async () => {
    const path = tempDir();
    await open(chosen(path));
    await expect(openStateDir(chosen(path), "config.hcl")).rejects.toMatchObject({
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

  it("gives each of two config files its own default folder again, whoever comes first", async () => {
    const dir = tempDir();
    const choice = { path: join(dir, "lazyssh"), isDefault: true };
    const [a, b, c] = ["a.hcl", "b.hcl", "c.hcl"].map((name) => join(dir, name)) as [string, string, string];
    for (const file of [a, b, c]) writeFileSync(file, "");
    const first = [await openStateDir(choice, a), await openStateDir(choice, b)];
    expect(await stateDirOf(choice, b)).toEqual({ path: `${choice.path}-2`, isDefault: false });
    for (const each of first) await each.close();

    const second = [await open(choice, b), await open(choice, a), await open(choice, c)];
    expect(second.map(({ path }) => path)).toEqual([`${choice.path}-2`, choice.path, `${choice.path}-3`]);
    expect(second[0]?.owner).toBe(first[1]?.owner);
  });

  it("takes over the default folder of a config file that is gone", async () => {
    const dir = tempDir();
    const choice = { path: join(dir, "lazyssh"), isDefault: true };
    const first = await openStateDir(choice, join(dir, "gone.hcl"));
    await first.close();
    expect((await open(choice, join(dir, "new.hcl"))).owner).toBe(first.owner);
  });

  it("takes the folder of a server that was killed", async () => {
    const path = tempDir();
    // A holder that dies without cleaning up: the socket file stays, nobody listens.
    const script = join(tempDir(), "holder.mjs");
    writeFileSync(
      script,
      'import { createServer } from "node:net"; createServer((c) => c.destroy()).listen(process.argv[2], () => process.send("held"));',
    );
    const holder = fork(script, [join(path, "lock")]);
    await new Promise((held) => holder.once("message", held));
    await expect(openStateDir(chosen(path), "config.hcl")).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    const exit = new Promise((exited) => holder.once("exit", exited));
    holder.kill("SIGKILL");
    await exit;
    await open(chosen(path));
  });

  it("says so when the folder cannot be made", async () => {
    const file = join(tempDir(), "file");
    writeFileSync(file, "");
    await expect(openStateDir(chosen("/proc/none/state"), "config.hcl")).rejects.toThrow(/--state-dir/);
    await expect(openStateDir(chosen(join(file, "state")), "config.hcl")).rejects.toThrow(
      /cannot use the state directory .*--state-dir/,
    );
  });

  it("says so when the path leaves no room for a socket in it", async () => {
    const path = join(tempDir(), "a".repeat(120));
    mkdirSync(path);
    await expect(openStateDir(chosen(path), "config.hcl")).rejects.toThrow("longer than the 90 bytes");
  });
});
