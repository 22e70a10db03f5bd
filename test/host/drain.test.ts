import { writeFileSync } from "node:fs";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Config } from "../../src/config/index.ts";
import { startHost } from "../../src/host/index.ts";
import { createEventStream, type LazysshEvent } from "../../src/observe/index.ts";
import { type Clock, systemClock } from "../../src/util/clock.ts";
import { jump, openChannel } from "../harness/jump.ts";
import { LOGGED } from "../harness/program.ts";
import { serverConfig } from "../harness/server-config.ts";
import { ssh } from "../harness/ssh.ts";
import { eventually } from "../harness/world.ts";

it("the program waits for its channels at SIGTERM, for drain_timeout at most", async () => {
  const j = await jump();
  writeFileSync(j.configFile, j.text({ drain_timeout: '"1h"' }));
  const program = j.start();
  const config = await j.sshConfig(program);
  const channel = await openChannel(config, `here:${j.target.port}`);
  program.kill("SIGTERM");
  expect(await program.logged("server.draining")).toMatchObject({
    level: "info",
    signal: "SIGTERM",
    seconds: 3_600,
  });
  // One that the listener has still taken just before it closed is reset.
  const again = () => ssh(["-F", config, "-W", `here:${j.target.port}`, "lazyssh"]);
  await expect.poll(async () => (await again()).stderr, LOGGED).toContain("Connection refused");
  await channel.goesOn(1024 * 1024);
  await channel.end();
  const { code } = await program.ended;
  expect(code).toBe(0);

  writeFileSync(j.configFile, j.text({ drain_timeout: '"2s"' }));
  const second = j.start();
  const longer = await openChannel(await j.sshConfig(second), `here:${j.target.port}`);
  second.kill("SIGTERM");
  await second.logged("server.draining");
  expect((await second.ended).code).toBe(0);
  expect((await longer.running.result).stderr).toContain("the jump host is shutting down");
});

/** A host in this process, so that its time can be cut short, and a client with an open channel. */
async function draining(drainMs: number) {
  const j = await jump();
  const config: Config = {
    file: "config.hcl",
    server: serverConfig(j.hostKey, j.clientKey, { drainMs }),
    targets: [{ type: "forward", name: "here", to: "127.0.0.1", ports: undefined }],
    jobs: [],
  };
  /** What is waited for as long as it takes, until the test says that the time is over. */
  const time = { over: () => undefined as unknown };
  const clock: Clock = {
    now: () => systemClock.now(),
    sleep: (ms, signal) =>
      ms === drainMs
        ? new Promise((resolve) => {
            time.over = () => resolve();
          })
        : systemClock.sleep(ms, signal),
  };
  const seen: LazysshEvent[] = [];
  const events = createEventStream();
  events.subscribe((event) => seen.push(event));
  const stateDir = { path: j.stateDir, isDefault: false };
  const host = await startHost({ config, stateDir, events, clock });
  onTestFinished(() => host.close("test"));
  const { port } = host.address;
  await j.folder.known("127.0.0.1", port, j.hostKey);
  const mux = `${j.folder.path}/mux`;
  const sshConfig = await j.folder.config({
    lazyssh: {
      HostName: "127.0.0.1",
      Port: port,
      User: "jump",
      IdentityFile: j.clientKey.path,
      ControlPath: mux,
    },
  });
  const to = `here:${j.target.port}`;
  const channel = await openChannel(sshConfig, to, ["-o", "ControlMaster=yes"]);
  const hurry = new AbortController();
  const state = { drained: false };
  const drain = () => {
    const done = host.drain("SIGTERM", hurry.signal);
    void done.then(() => {
      state.drained = true;
    });
    return done;
  };
  return { host, seen, sshConfig, to, channel, hurry, time, drain, state };
}

describe("a drain", () => {
  it("lets the channels there are go on, refuses all others in words, and ends with the last of them", async () => {
    const { host, channel, drain, sshConfig, to, seen, state } = await draining(3_600_000);
    const done = drain();
    expect(host.status()).toMatch(
      /^shutting down, waiting for 1 channel \(jump from 127\.0\.0\.1:\d+ to here:\d+\): 0 machines, 1 connection$/,
    );
    expect(seen.find(({ type }) => type === "server.draining")).toEqual({
      type: "server.draining",
      signal: "SIGTERM",
      seconds: 3_600,
      channels: [expect.stringMatching(/^jump from 127\.0\.0\.1:\d+ to here:\d+$/)],
    });
    await channel.goesOn(1024 * 1024);
    const second = await ssh(["-F", sshConfig, "-W", to, "lazyssh"]);
    expect(second.code).not.toBe(0);
    expect(seen.find(({ type }) => type === "channel.refused")).toMatchObject({
      code: "SHUTTING_DOWN",
      reason: "the jump host is shutting down: try again when it is back",
    });
    const another = await ssh(["-F", sshConfig, "-o", "ControlPath=none", "-W", to, "lazyssh"]);
    expect(another.stderr).toContain("Connection refused");
    expect(host.healthy()).toBe(true);
    await channel.goesOn();
    expect(state.drained).toBe(false);
    channel.running.child.stdin?.end();
    await done;
    await host.close("SIGTERM");
    await channel.running.result;
  });

  it.each(["the time is over", "somebody is in a hurry"])(
    "ends the channels there are when %s",
    async (why) => {
      const { host, channel, drain, time, hurry } = await draining(3_600_000);
      const done = drain();
      await channel.goesOn();
      if (why === "the time is over") time.over();
      else hurry.abort("hurry");
      await done;
      await host.close("SIGTERM");
      expect((await channel.running.result).stderr).toContain("the jump host is shutting down");
    },
  );

  it("is not there without drain_timeout, nor without channels", async () => {
    const none = await draining(0);
    await none.drain();
    const { channel, drain, seen } = await draining(3_600_000);
    await channel.end();
    await eventually("the channel to have ended", () => seen.some(({ type }) => type === "channel.close"));
    await drain();
    expect([...none.seen, ...seen].filter(({ type }) => type === "server.draining")).toEqual([]);
  });
});
