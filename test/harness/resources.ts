import { readdirSync, readFileSync } from "node:fs";
import { systemClock } from "../../src/util/clock.ts";
import type { Program } from "./program.ts";

export const MIB = 1024 * 1024;

/** What a program has of the system's memory and files now. Linux only. */
export interface Resources {
  /** Bytes. */
  readonly rss: number;
  readonly files: number;
}

export function resourcesOf({ process: { pid } }: Program): Resources {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return {
    rss: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1024,
    files: readdirSync(`/proc/${pid}/fd`).length,
  };
}

/** Watches a program's memory while something goes on. */
export async function growthDuring(program: Program, what: () => Promise<unknown>): Promise<number> {
  const before = resourcesOf(program).rss;
  let most = before;
  const over = new AbortController();
  const watching = (async () => {
    while (!over.signal.aborted) {
      most = Math.max(most, resourcesOf(program).rss);
      await systemClock.sleep(20);
    }
  })();
  try {
    await what();
  } finally {
    over.abort();
    await watching;
  }
  return most - before;
}
