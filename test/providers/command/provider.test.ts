import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { processOf } from "../../../src/providers/command/processes.ts";
import { eventually } from "../../harness/world.ts";
import { BOOT, daemon, logIn, machines, never, order, pidsIn, runsNow, STAY, sh } from "./fixture.ts";

describe("a machine in the foreground", () => {
  test("runs, is the same for the same token, and ends by SIGTERM", async () => {
    const { provider, gone, folder, booted } = machines({ start: sh(STAY) });
    const machine = await provider.create(order, never);
    await booted();
    expect(machine).toMatchObject({
      phase: "running",
      address: "127.0.0.1",
      target: "archiver",
      token: order.token,
    });
    expect(await provider.create(order, never)).toEqual(machine);
    expect(await provider.find(order.token, never)).toEqual(machine);
    expect(await provider.list(never)).toEqual([machine]);
    await provider.destroy(machine.id, never);
    await gone(machine.id);
    expect(await provider.list(never)).toEqual([]);
    expect(await provider.list(never, { gone: true })).toHaveLength(1);
    expect(pidsIn(folder).map(runsNow)).toEqual([false]);
  });

  test("ends whole: what its command has started in its group ends with it", async () => {
    const { provider, gone, folder, booted } = machines({
      start: sh(`${BOOT}sleep 60 & echo boot $! >>machine.log; wait`),
    });
    const { id } = await provider.create(order, never);
    await booted(2);
    await provider.destroy(id, never);
    await gone(id);
    await eventually("both ended", () => pidsIn(folder).every((pid) => !runsNow(pid)));
  });

  test("is not gone while its command has left something behind", async () => {
    const { provider, gone, phase, folder, booted } = machines({
      start: sh(
        `setsid sh -c 'echo boot $$ >>machine.log; exec sleep 60' & until [ -e off ]; do sleep 0.05; done; exit 0`,
      ),
    });
    const { id } = await provider.create(order, never);
    const [pid] = await booted();
    writeFileSync(join(folder, "off"), "");
    await eventually("the end of its command", async () => (await phase(id)) === "stopping");
    expect((await provider.describe(id, never)).reason).toContain(`(${pid})`);
    await provider.destroy(id, never);
    await gone(id);
  });

  test("is found by its environment when the server died before it wrote down which process it is", async () => {
    const { provider, open, gone, phase, fact } = machines({ start: sh(STAY) });
    const { id } = await provider.create(order, never);
    rmSync(fact(id, "child"));
    expect(await phase(id)).toBe("running");
    expect(await open().list(never)).toHaveLength(1);
    await open().destroy(id, never);
    await gone(id);
  });

  test("is no other process that has got its number", async () => {
    const { provider, folder, phase, fact, booted } = machines({
      start: sh(`${BOOT}until [ -e off ]; do sleep 0.05; done`),
    });
    const { id } = await provider.create(order, never);
    const [pid = 0] = await booted();
    writeFileSync(join(folder, "off"), "");
    await eventually("its end", () => !runsNow(pid));
    const mine = await processOf(process.pid);
    expect(mine?.pid).toBe(process.pid);
    writeFileSync(fact(id, "child"), JSON.stringify({ pid: process.pid, started: "another boot:1" }));
    let hit = 0;
    const hear = () => (hit += 1);
    process.on("SIGTERM", hear);
    await provider.destroy(id, never);
    expect(await phase(id)).toBe("gone");
    process.off("SIGTERM", hear);
    expect(hit).toBe(0);
  });

  test("that cannot run is refused with the reason, and nothing is left", async () => {
    const missing = machines({ start: ["/no/such/program"] });
    await expect(missing.provider.create(order, never)).rejects.toMatchObject({
      code: "BAD_REQUEST",
      message: expect.stringContaining("cannot run /no/such/program: there is no such program") as string,
    });
    expect(readdirSync(join(missing.folder, "commands"))).toEqual([]);
    const fails = machines({ start: sh("echo booting; echo 'no disk' >&2; exit 4") });
    await expect(fails.provider.create(order, never)).rejects.toMatchObject({
      message: "archiver: start has failed, exit code 4: no disk",
    });
    expect(await fails.provider.list(never)).toEqual([]);
  });

  test("gets its own environment, and nothing of the server's that may be secret", async () => {
    process.env.LAZYSSH_SECRET = "hush-hush";
    const { provider, folder, fact } = machines({
      start: sh("env >env.new; mv env.new env; exec sleep 60"),
      environment: { DISK: "backup.img" },
    });
    const { id } = await provider.create(order, never);
    delete process.env.LAZYSSH_SECRET;
    const text = await eventually(
      "its environment",
      () => readdirSync(folder).includes("env") && readFileSync(join(folder, "env"), "utf8"),
    );
    for (const line of [
      "LAZYSSH_TARGET=archiver",
      `LAZYSSH_TOKEN=${order.token}`,
      `LAZYSSH_MACHINE=${id}`,
      "DISK=backup.img",
      "LAZYSSH_COMMAND=start",
    ])
      expect(text.split("\n")).toContain(line);
    expect(text).not.toContain("hush-hush");
    expect(statSync(fact(id, "order")).mode & 0o777).toBe(0o600);
    await provider.destroy(id, never);
  });

  test("keeps values of variables out of messages", async () => {
    const { provider } = machines({
      start: sh("echo key $KEY is bad; exit 1"),
      environment: { KEY: "s3cr3t" },
    });
    await expect(provider.create(order, never)).rejects.toMatchObject({
      message: "archiver: start has failed, exit code 1: key … is bad",
    });
  });
});

describe("the end of a machine", () => {
  test("comes by stop, not by a signal", async () => {
    const { provider, gone, folder } = machines({
      start: sh(`${BOOT}until [ -e off ]; do sleep 0.05; done; echo off >>machine.log`),
      stop: sh("touch off"),
    });
    const { id } = await provider.create(order, never);
    await provider.destroy(id, never);
    await gone(id);
    expect(logIn(folder)).toContain("off");
  });

  test("a stop that fails is told, and works when it does", async () => {
    const { provider, gone, folder, booted } = machines({
      start: sh(`${BOOT}until [ -e off ]; do sleep 0.05; done`),
      stop: sh("[ -e works ] || { echo 'not today'; exit 1; }; touch off"),
    });
    const { id } = await provider.create(order, never);
    await booted();
    const told = { retryable: true, message: "stop of archiver has failed, exit code 1: not today" };
    await expect(provider.destroy(id, never)).rejects.toMatchObject(told);
    await expect(provider.destroy(id, never)).rejects.toMatchObject(told);
    expect(pidsIn(folder).map(runsNow)).toEqual([true]);
    writeFileSync(join(folder, "works"), "");
    await provider.destroy(id, never);
    await gone(id);
  });

  test("a stop that is cut off by the end that it brings has not failed", async () => {
    const { provider, phase } = machines(
      { start: sh(`${BOOT}until [ -e off ]; do sleep 0.05; done`), stop: sh("touch off; exit 255") },
      10_000,
    );
    const { id } = await provider.create(order, never);
    await provider.destroy(id, never);
    expect(await phase(id)).toBe("gone");
  });

  test("a stop that hangs is given up, and a machine in the foreground gets SIGTERM then, which is told", async () => {
    const { provider, gone } = machines({ start: sh(STAY), stop: sh("exec sleep 60"), stopTimeoutMs: 300 });
    const { id } = await provider.create(order, never);
    await expect(provider.destroy(id, never)).rejects.toMatchObject({
      retryable: true,
      message: expect.stringMatching(/stop of archiver has not ended within .*was sent SIGTERM/) as string,
    });
    await gone(id);
  });

  test("one that does not listen to SIGTERM is told again and again, and never killed", async () => {
    const { provider, folder, phase, booted } = machines({
      start: sh(`trap '' TERM; ${BOOT}while :; do sleep 0.05; done`),
      stopTimeoutMs: 300,
    });
    const { id } = await provider.create(order, never);
    await booted();
    await provider.destroy(id, never);
    const told = await eventually("that it is told", () =>
      provider.destroy(id, never).then(
        () => undefined,
        (error: Error) => error.message,
      ),
    );
    expect(told).toContain("was told to stop and has not ended");
    expect(await phase(id)).toBe("stopping");
    expect(pidsIn(folder).map(runsNow)).toEqual([true]);
    expect(provider.remedy(id, order.token)).toContain(order.token);
  });
});

test("of what it knows nothing, there is nothing", async () => {
  const { provider } = machines({});
  expect(await provider.describe("cmd-000000000000", never)).toMatchObject({ phase: "gone" });
  expect(await provider.describe("../../etc", never)).toMatchObject({ phase: "gone" });
  expect(await provider.find("lazyssh-unheard-of", never)).toMatchObject({ phase: "gone" });
  await provider.destroy("cmd-000000000000", never);
  expect(await provider.list(never)).toEqual([]);
});

test("notes are kept, and taken off", async () => {
  const { provider, open } = machines({ start: sh(STAY) });
  const { id } = await provider.create({ ...order, notes: { expires: "1" } }, never);
  await Promise.all([
    provider.annotate(id, { "lease:a": "2" }, never),
    provider.annotate(id, { expires: undefined, generation: "4" }, never),
  ]);
  expect((await open().describe(id, never)).notes).toEqual({ "lease:a": "2", generation: "4" });
  await provider.destroy(id, never);
});

test("a start that would fail for want of a program is found out before", async () => {
  const target = { ...daemon, start: ["/no/such/start"], stop: ["no-such-stop", "now"], status: ["true"] };
  const { provider } = machines({ ...target, workingDirectory: "/no/such/folder" });
  const texts = (await provider.preflight(never)).map(({ text }) => text);
  expect(texts).toEqual([
    "working_directory /no/such/folder is not a folder that can be entered",
    "start: there is no program /no/such/start that may be run",
    expect.stringMatching(/^stop: there is no program no-such-stop in /) as string,
  ]);
  expect(await machines(daemon).provider.preflight(never)).toEqual([]);
});
