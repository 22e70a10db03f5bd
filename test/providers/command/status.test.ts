import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { daemon, machines, never, order, pidsIn, runsNow, sh } from "./fixture.ts";

describe("a machine that is started and asked for", () => {
  test("runs as long as its status says so", async () => {
    const { provider, open, gone, folder } = machines(daemon);
    const { id, phase } = await provider.create(order, never);
    expect(phase).toBe("running");
    expect(await open().list(never)).toMatchObject([{ id, phase: "running" }]);
    await provider.destroy(id, never);
    await gone(id);
    expect(pidsIn(folder).map(runsNow)).toEqual([false]);
  });

  test("is ended by stop alone, though its processes have come from start", async () => {
    const { provider, folder, phase } = machines({ ...daemon, stop: sh("exit 0") });
    const { id } = await provider.create(order, never);
    await provider.destroy(id, never);
    expect(await phase(id)).toBe("stopping");
    expect(pidsIn(folder).map(runsNow)).toEqual([true]);
  });

  test("is waited for until its status says that it runs", async () => {
    const { provider, phase, folder, gone } = machines({
      ...daemon,
      start: sh("echo boot 999999999 >machine.log"),
      status: sh("[ -e up ] || exit 3"),
      stop: sh("rm -f up"),
    });
    const { id } = await provider.create(order, never);
    expect(await phase(id)).toBe("pending");
    writeFileSync(join(folder, "up"), "");
    expect(await phase(id)).toBe("running");
    await provider.destroy(id, never);
    await gone(id);
  });

  test("that ran before is used, and left running", async () => {
    const { provider, folder, phase } = machines({
      ...daemon,
      status: sh("exit 0"),
      start: sh("touch started"),
    });
    const { id, phase: first } = await provider.create(order, never);
    expect(first).toBe("running");
    await provider.destroy(id, never);
    expect(await provider.describe(id, never)).toMatchObject({ phase: "gone" });
    expect(await phase(id)).toBe("gone");
    expect(readdirSync(folder)).not.toContain("started");
  });

  test("is neither alive nor dead when its status does not tell", async () => {
    const { provider, folder } = machines({
      ...daemon,
      status: sh("[ ! -e odd ] && exit 3; echo 'no route'; exit 7"),
    });
    const { id } = await provider.create(order, never);
    writeFileSync(join(folder, "odd"), "");
    await expect(provider.describe(id, never)).rejects.toMatchObject({
      retryable: true,
      message:
        "status of archiver does not tell whether the machine runs (exit code 7: no route; 0 says that it runs, 3 that it does not)",
    });
    expect(await provider.list(never)).toHaveLength(1);
    await expect(
      provider.create({ ...order, token: "lazyssh-another-0000000b" }, never),
    ).rejects.toMatchObject({ retryable: true });
  });

  test("whose start hangs is given up, and ended", async () => {
    const { provider, gone, phase } = machines({
      ...daemon,
      start: sh("touch up; exec sleep 60"),
      status: sh("[ -e up ] || exit 3"),
      stop: sh("rm up"),
      startTimeoutMs: 3_000,
    });
    const { id } = await provider.create(order, never);
    expect(await provider.describe(id, never)).toMatchObject({
      phase: "stopping",
      reason: expect.stringContaining("start has not ended within") as string,
    });
    await provider.destroy(id, never);
    await gone(id);
    expect(await phase(id)).toBe("gone");
  });

  test("has the address that its command prints, as soon as it does", async () => {
    const { provider, folder } = machines({
      ...daemon,
      to: undefined,
      addressCommand: sh("cat address 2>/dev/null"),
    });
    const { id, phase } = await provider.create(order, never);
    expect(phase).toBe("pending");
    writeFileSync(join(folder, "address"), "192.0.2.7\nand more\n");
    expect(await provider.describe(id, never)).toMatchObject({ phase: "running", address: "192.0.2.7" });
    await provider.destroy(id, never);
  });
});
