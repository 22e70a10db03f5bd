import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createWorld, devCredentialsEnv, type World } from "../src/dev/index.ts";
import { systemClock } from "../src/util/clock.ts";
import { startJumpHost } from "./jump-host.ts";
import { type Summary, summarize } from "./statistics.ts";
import { treeFor } from "./tree.ts";

export interface ColdConnect {
  /** From the start of `ssh` to the target's first byte. */
  readonly total: Summary;
  /** The machine's own part: from RunInstances to its open port. */
  readonly boot: Summary;
  /** `ssh` to a machine that already runs: what the client itself and the jump take. */
  readonly warm: Summary;
  /** What was waited on top of the machine's own boot and the client's own time. */
  readonly added: Summary;
  /** The part of that after the port had opened. */
  readonly afterOpen: Summary;
}

/** 0.5 s pending and 1.5 s from running to an open port: the port opens 2 s after the order. */
const DELAYS = { pendingMs: 500, bootMs: 1_500, attachMs: 300, shutdownMs: 100, detachMs: 100 };
const WAIT_MS = 30_000;
/** Machines are processes of their own, of the built program. */
const GUEST_PROGRAM = new URL("../../dist/dev/guest/main.js", import.meta.url);

/** Cold connects, one after the other, each on a machine started for it and gone after it. All figures in milliseconds. */
export async function coldConnect(rounds: number): Promise<ColdConnect> {
  const dir = mkdtempSync(join(tmpdir(), "lazyssh-bench-"));
  const world = await createWorld({
    dir,
    guestProgram: GUEST_PROGRAM,
    delays: DELAYS,
    listen: "127.0.0.1:0",
    linger: "0s",
  });
  try {
    await using jump = await startJumpHost(
      world.configFile,
      { ...process.env, ...devCredentialsEnv },
      treeFor(undefined),
    );
    await world.writeClientFiles({ listenHost: jump.host, listenPort: jump.port });
    const figures = { total: [], boot: [], warm: [], added: [], afterOpen: [] } as Record<string, number[]>;
    for (let round = 0; round < rounds; round++) {
      const cold = await connect(world);
      const warm = await connect(world);
      const ordered = latest(world, (entry) => entry.type === "call" && entry.action === "RunInstances");
      const opened = latest(world, (entry) => entry.type === "guest.listening");
      const boot = opened - ordered;
      figures.total?.push(cold.ms);
      figures.boot?.push(boot);
      figures.warm?.push(warm.ms);
      figures.added?.push(cold.ms - boot - warm.ms);
      figures.afterOpen?.push(cold.at - opened);
      cold.leave();
      warm.leave();
      await gone(world);
    }
    const summary = (name: string) => summarize(figures[name] ?? []);
    return {
      total: summary("total"),
      boot: summary("boot"),
      warm: summary("warm"),
      added: summary("added"),
      afterOpen: summary("afterOpen"),
    };
  } finally {
    await world.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Connects to the target's port through the jump host with the real ssh, until its first byte. */
async function connect(world: World): Promise<{ ms: number; at: number; leave: () => void }> {
  const started = Date.now();
  const config = join(world.dir, "ssh_config");
  const child = spawn("ssh", ["-F", config, "-W", `archiver:${world.guestPort}`, "lazyssh"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout.once("data", () => resolve());
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`ssh ended with ${code}`)));
  });
  const at = Date.now();
  return { ms: at - started, at, leave: () => void child.kill() };
}

function latest(world: World, matches: (entry: Readonly<Record<string, unknown>>) => boolean): number {
  const entry = world.state().events.findLast(matches);
  if (!entry) throw new Error("the world's journal lacks an entry that was to be measured");
  return entry.at;
}

async function gone(world: World): Promise<void> {
  const end = Date.now() + WAIT_MS;
  const quiet = () => {
    const { instances, volumes } = world.state();
    const free = volumes.find(({ id }) => id === world.volumeId)?.state === "available";
    return free && instances.every(({ state }) => state === "terminated");
  };
  while (!quiet()) {
    if (Date.now() > end) throw new Error("the machine did not go away");
    await systemClock.sleep(20);
  }
}
