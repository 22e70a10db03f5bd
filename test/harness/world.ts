import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EC2Client } from "@aws-sdk/client-ec2";
import { createWorld, type World, type WorldOptions } from "../../src/dev/index.ts";
import { systemClock } from "../../src/util/clock.ts";
import { GONE } from "./temp.ts";

/** Guests are processes of their own, and Node 20 runs no TypeScript: `npm run build` first. */
const GUEST_PROGRAM = new URL("../../dist/dev/guest/main.js", import.meta.url);

/** Quick enough for tests, slow enough that every state can be seen. */
const TEST_DELAYS = { pendingMs: 100, bootMs: 100, attachMs: 50, shutdownMs: 200, detachMs: 50 };

export interface TestWorld extends AsyncDisposable {
  readonly world: World;
  /** The real SDK, with no retries of its own: a test sees each answer. */
  readonly ec2: EC2Client;
  /** Closes the world and removes its folder. */
  stop(): Promise<void>;
}

/** A dev world in a folder of its own under the temporary directory. */
export async function startWorld(options: Partial<WorldOptions> = {}): Promise<TestWorld> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), "lazyssh-world-"));
  const problems: string[] = [];
  const world = await createWorld({
    guestProgram: GUEST_PROGRAM,
    onProblem: (problem) => problems.push(problem),
    ...options,
    delays: { ...TEST_DELAYS, ...options.delays },
    dir,
  });
  const ec2 = ec2Client(world);
  const stop = async (): Promise<void> => {
    ec2.destroy();
    await world.close();
    if (options.dir === undefined) rmSync(dir, GONE);
    if (problems.length > 0) throw new Error(`the dev world had problems: ${problems.join("; ")}`);
  };
  return { world, ec2, stop, [Symbol.asyncDispose]: stop };
}

export function ec2Client({ endpoint, region }: Pick<World, "endpoint" | "region">): EC2Client {
  return new EC2Client({
    endpoint,
    region,
    credentials: { accessKeyId: "dev", secretAccessKey: "dev" },
    maxAttempts: 1,
  });
}

/**
 * Polls until `probe` answers something other than undefined and false.
 *
 * @throws Error that says what was waited for, after `timeoutMs` (default 15 s).
 */
export async function eventually<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 15_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for: ${what}`);
    await systemClock.sleep(10);
  }
}
