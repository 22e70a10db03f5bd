import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setPriority } from "node:os";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/util/clock.ts";
import { type JumpHost, startJumpHost } from "../harness/jump-host.ts";
import type { LogLine } from "../harness/program.ts";
import { MIB, resourcesOf } from "../harness/resources.ts";
import { ssh } from "../harness/ssh.ts";
import { echo, type TcpTarget, tcpTarget } from "../harness/tcp.ts";
import { eventually } from "../harness/world.ts";

const CI = process.env.CI === "true";
const FLOOD_MS = 1_000 * Number(process.env.FLOOD_SECONDS ?? (CI ? 60 : 15));
/** How long a client may take to get in. */
const PROMISED_MS = 2_000;
const FLOOD = fileURLToPath(new URL("../fixtures/flood.mjs", import.meta.url));

interface Flood {
  readonly attempts: number;
  readonly connected: number;
  readonly dropped: number;
  /** Connections that were open at once, as the attacker sees them. */
  readonly most: number;
}

/** 5,000 connections that say nothing, 200 at a time reconnecting, while `meanwhile` goes on. */
async function flood(
  port: number,
  addresses: readonly string[],
  meanwhile: () => Promise<void>,
): Promise<Flood> {
  const child: ChildProcess = spawn(process.execPath, [FLOOD, String(port), "5000", "200", ...addresses], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  // An attacker elsewhere would not take the processor away from those here.
  if (child.pid !== undefined) setPriority(child.pid, 19);
  try {
    await eventually("the flood to begin", () => out.startsWith("ready\n"), 60_000);
    await meanwhile();
  } finally {
    const ended = once(child, "close");
    child.kill("SIGTERM");
    await ended;
  }
  return JSON.parse(out.slice("ready\n".length)) as Flood;
}

/** Milliseconds from the start of `ssh` to the end of a short talk with the target. */
async function getIn(config: string, target: TcpTarget): Promise<number> {
  const started = performance.now();
  const { stdout, stderr } = await ssh(["-F", config, "-W", `archiver:${target.port}`, "lazyssh"], {
    input: "hello",
  });
  expect(stdout.toString(), stderr).toBe("hello");
  return performance.now() - started;
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

async function logAtRest(jump: JumpHost): Promise<void> {
  let lines = -1;
  await eventually("the log to be at rest", async () => {
    const before = lines;
    lines = jump.program.log.length;
    await systemClock.sleep(500);
    return before === jump.program.log.length;
  });
}

/** What was logged most, for a test that fails. */
function saidMost(log: readonly LogLine[]): string {
  const counts = new Map<string, number>();
  for (const { msg, reason } of log) {
    const what = `${msg} ${typeof reason === "string" ? reason : ""}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  const most = [...counts].sort(([, a], [, b]) => b - a).slice(0, 8);
  return most.map(([what, count]) => `${count} × ${what}`).join("\n");
}

const sshConfig = (jump: JumpHost): Promise<string> =>
  jump.folder.config({
    lazyssh: { HostName: "127.0.0.1", Port: jump.port, User: "jump", IdentityFile: jump.clientKey.path },
  });

describe("while 5,000 connections that say nothing come 200 at a time, again and again", () => {
  test.each([
    ["from other addresses", Array.from({ length: 50 }, (_, n) => `127.0.0.${n + 2}`)],
    ["from the client's own address", ["127.0.0.1"]],
  ])(
    "%s, an authorised client gets in within 2 s, and nothing is left of them afterwards",
    async (from, addresses) => {
      await using jump = await startJumpHost();
      await using target = await tcpTarget(echo);
      const config = await sshConfig(jump);
      const calm: number[] = [];
      for (let n = 0; n < 5; n++) calm.push(await getIn(config, target));
      const cold = resourcesOf(jump.program);
      // Node's heap grows to the size of what it has to do, and stays there: what comes on top of that would be a leak.
      await flood(jump.port, addresses, () => systemClock.sleep(10_000));
      await eventually("the files to be closed", () => resourcesOf(jump.program).files <= cold.files, 30_000);
      // Who waits to be accepted when a flood ends is so, and logged, afterwards; who comes now comes after all of them.
      await getIn(config, target);
      await logAtRest(jump);
      const base = resourcesOf(jump.program);

      const times: number[] = [];
      const before = jump.program.log.length;
      let logged: readonly LogLine[] = [];
      const done = await flood(jump.port, addresses, async () => {
        const until = Date.now() + FLOOD_MS;
        while (Date.now() < until) {
          times.push(await getIn(config, target));
          await systemClock.sleep(250);
        }
        logged = jump.program.log.slice(before);
      });
      await eventually("the files to be closed", () => resourcesOf(jump.program).files <= base.files, 30_000);
      const after = resourcesOf(jump.program);
      const report = {
        connections: done.connected,
        dropped: done.dropped,
        logged: logged.length,
        logins: times.length,
        calmMs: Math.round(median(calm)),
        medianMs: Math.round(median(times)),
        worstMs: Math.round(Math.max(...times)),
        rssMiB: [cold, base, after].map(({ rss }) => Math.round(rss / MIB)),
      };
      console.info(`flood ${from}: ${JSON.stringify(report)}`);
      expect(done.dropped).toBeGreaterThan(2_000);
      expect(times.length).toBeGreaterThan(4);
      // Where others are at work on the machine, as none should be in CI, `ssh` itself takes its time.
      const allowance = CI ? 0 : 10 * median(calm);
      expect(Math.max(...times)).toBeLessThan(PROMISED_MS + allowance);
      expect(after.rss - base.rss).toBeLessThan(16 * MIB);
      expect(after.rss - cold.rss).toBeLessThan(64 * MIB);
      // What is logged does not grow with their number.
      expect(jump.program.log.filter(({ msg }) => msg === "connections.refused").length).toBeLessThan(5);
      // While it goes on: those who leave by themselves when it ends are logged, two lines each.
      expect(logged.length, saidMost(logged)).toBeLessThan(1_000 + 10 * times.length);
    },
    FLOOD_MS + 120_000,
  );
});
