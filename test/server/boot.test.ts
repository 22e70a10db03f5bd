import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/util/clock.ts";
import { type OpenDoor, openDoor, poll } from "../harness/front-door.ts";
import { ssh, startSsh } from "../harness/ssh.ts";
import { echo, type TcpTarget, tcpTarget } from "../harness/tcp.ts";

const HANDOVER_MS = 400;
let door: OpenDoor;
let config: string;
let target: TcpTarget;

beforeAll(async () => {
  door = await openDoor({ limits: { handoverMs: HANDOVER_MS } });
  config = await door.config();
  target = await tcpTarget(echo);
});
afterAll(async () => {
  await door[Symbol.asyncDispose]();
  await target[Symbol.asyncDispose]();
});

const through = (...more: string[]): string[] => ["-F", config, "-l", "boot+archiver", ...more, "lazyssh"];

describe("a machine that is booted during the login", () => {
  test("is kept until the channel has it, and given back with the channel", async () => {
    const result = await ssh(through("-W", `archiver:${target.port}`), { input: "hello" });
    expect([result.code, result.stdout.toString()]).toEqual([0, "hello"]);
    await poll("end of all leases", () => door.targets.held === 0);
    // One for the login, one for the channel.
    expect(door.targets.tenants).toHaveLength(2);
    expect(new Set(door.targets.tenants.map(({ connection }) => connection)).size).toBe(1);
  });

  test("may take longer to boot than a login may", async () => {
    await using hasty = await openDoor({ limits: { loginGraceMs: 5_000 } });
    hasty.targets.boot = (_, signal) => systemClock.sleep(6_000, signal);
    const args = [
      "-F",
      await hasty.config(),
      "-l",
      "boot+archiver",
      "-W",
      `archiver:${target.port}`,
      "lazyssh",
    ];
    const result = await ssh(args, { input: "late" });
    expect([result.code, result.stdout.toString()]).toEqual([0, "late"]);
  });

  test("is given back when no channel comes", async () => {
    const client = startSsh(through("-N"));
    await poll("the lease of the login", () => door.targets.held === 1);
    await poll("its end", () => door.targets.held === 0);
    client.child.kill("SIGKILL");
    await client.result;
  });

  test("is given back when the client vanishes during its boot", async () => {
    door.targets.boot = (_, signal) => systemClock.sleep(60_000, signal);
    const client = startSsh(through("-N"));
    await poll("the boot", () => door.targets.pending === 1);
    client.child.kill("SIGKILL");
    await client.result;
    await poll("its end", () => door.targets.pending === 0);
    door.targets.boot = () => Promise.resolve();
    expect(door.targets.held).toBe(0);
  });

  test("that cannot be is told of in the client's terminal, and the client is disconnected", async () => {
    const result = await ssh(["-F", config, "-l", "boot+archivr", "-N", "lazyssh"]);
    expect(result.code).toBe(255);
    expect(result.stderr).toContain('unknown target "archivr": this jump host has archiver');
  });
});
