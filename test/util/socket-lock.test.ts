import { execFile, fork } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Clock, systemClock } from "../../src/util/clock.ts";
import { type Taking, takeSocketLock } from "../../src/util/socket-lock.ts";
import { tempDir } from "../harness/temp.ts";

const BUILT = fileURLToPath(new URL("../../dist/util/socket-lock.js", import.meta.url));

/** Its holder may be busy with something else for a while. */
const patient: Clock = { now: systemClock.now, sleep: (ms, signal) => systemClock.sleep(ms * 10, signal) };
const hasty: Clock = { now: systemClock.now, sleep: (ms, signal) => systemClock.sleep(ms / 10, signal) };

async function take(folder: string, name = "lock", clock = systemClock): Promise<Taking> {
  const taking = await takeSocketLock({ folder, name, clock });
  if (taking.kind === "taken") onTestFinished(() => taking.lock.close());
  return taking;
}

describe("takeSocketLock", () => {
  it("has one holder at a time, and says who that is", async () => {
    const folder = tempDir();
    const before = Date.now();
    const first = await takeSocketLock({ folder, name: "lock" });
    if (first.kind === "held") throw new Error("nobody had it");
    const second = await take(folder, "lock", patient);
    expect(second).toEqual({ kind: "held", holder: { pid: process.pid, since: expect.any(Number) } });
    if (second.kind === "held") expect(second.holder.since).toBeGreaterThanOrEqual(before);
    await first.lock.close();
    expect(readdirSync(folder)).toEqual([]);
    expect((await take(folder)).kind).toBe("taken");
  });

  it("is another lock for every name, also for one that begins as another does", async () => {
    const folder = tempDir();
    expect([await take(folder, "a"), await take(folder, "a.b"), await take(folder, "b")]).toMatchObject([
      { kind: "taken" },
      { kind: "taken" },
      { kind: "taken" },
    ]);
  });

  it("is never held twice, however many come at once, over what a dead holder has left", async () => {
    for (let round = 0; round < 5; round++) {
      const folder = tempDir();
      writeFileSync(join(folder, "lock.0000000"), ""); // nobody listens at it
      let holders = 0;
      let most = 0;
      let turns = 0;
      const one = async () => {
        const taking = await takeSocketLock({ folder, name: "lock" });
        if (taking.kind === "held") return;
        holders += 1;
        turns += 1;
        most = Math.max(most, holders);
        await new Promise((resolve) => setImmediate(resolve));
        holders -= 1;
        await taking.lock.close();
      };
      await Promise.all(Array.from({ length: 8 }, one));
      expect(most).toBeLessThanOrEqual(1);
      expect(turns).toBeGreaterThan(0);
    }
  });

  it("is free again when its holder is killed", async () => {
    const folder = tempDir();
    const script = join(tempDir(), "holder.mjs");
    writeFileSync(
      script,
      `import { takeSocketLock } from ${JSON.stringify(BUILT)};
       const { kind } = await takeSocketLock({ folder: process.argv[2], name: "lock" });
       setInterval(() => {}, 1000);
       process.send(kind);`,
    );
    const holder = fork(script, [folder]);
    const exit = new Promise((exited) => holder.once("exit", exited));
    onTestFinished(() => void holder.kill("SIGKILL"));
    expect(await new Promise((said) => holder.once("message", said))).toBe("taken");
    expect(await take(folder, "lock", patient)).toMatchObject({ kind: "held", holder: { pid: holder.pid } });
    // One that is stopped does not answer, and holds it all the same.
    process.kill(holder.pid ?? 0, "SIGSTOP");
    const silent = { kind: "held", holder: { pid: undefined, since: undefined } };
    expect(await take(folder, "lock", hasty)).toEqual(silent);
    holder.kill("SIGKILL");
    await exit;
    expect((await take(folder)).kind).toBe("taken");
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it("takes who says nothing for a holder", async () => {
    const folder = tempDir();
    const server = createServer((client) => client.destroy());
    onTestFinished(() => void server.close());
    await new Promise<void>((listening) => server.listen(join(folder, "lock"), listening));
    expect(await take(folder)).toEqual({ kind: "held", holder: { pid: undefined, since: undefined } });
  });

  it("keeps a process alive that has nothing else to wait for than its turn", async () => {
    const folder = tempDir();
    // Never decided, so that there is a pause before each try.
    const other = createServer((client) => client.end('{"pid":7,"since":8,"holds":false}\n'));
    onTestFinished(() => void other.close());
    await new Promise<void>((listening) => other.listen(join(folder, "lock"), listening));
    const script = `import { takeSocketLock } from ${JSON.stringify(BUILT)};
      console.log(JSON.stringify(await takeSocketLock({ folder: ${JSON.stringify(folder)}, name: "lock" })));`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
    expect(JSON.parse(stdout)).toEqual({ kind: "held", holder: { pid: 7, since: 8 } });
  });

  it("fails where there is no folder, or no room for a socket in its path", async () => {
    const long = join(tempDir(), "a".repeat(120));
    mkdirSync(long);
    await expect(take(join(tempDir(), "none"))).rejects.toThrow(/ENOENT|EACCES/);
    await expect(take(long)).rejects.toThrow("longer than the 90 bytes");
  });
});
