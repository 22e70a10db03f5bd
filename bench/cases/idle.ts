import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../src/util/clock.ts";
import { end, type Keys, type Peer } from "../peers.ts";
import { memoryKiB } from "../processes.ts";
import { userAt } from "./bulk.ts";

export interface Idle {
  /** KiB of all its processes before anybody came. */
  readonly rest: number;
  /** KiB for each connection, by how many there were, beyond what there was when the first few had come and gone. */
  readonly perConnection: Readonly<Record<number, number>>;
}

export const CROWDS = [10, 100, 500] as const;
const FIRST = 20;

/** After the last has come, until buffers have been given back and V8 has looked through its heap, which takes it 8 s of calm. */
const SETTLE_MS = 12_000;

/** Memory of connections that do nothing, each with one open channel. */
export async function idle(keys: Keys, peer: Peer, endPort: number): Promise<Idle> {
  const args = [String(peer.port), userAt(keys, peer), keys.client, String(endPort)];
  const rest = memoryKiB(peer.pid);
  const perConnection: Record<number, number> = {};
  // What the first clients cost once, and never again, is no cost of a connection.
  await crowd(args, async (grow) => grow(FIRST));
  await systemClock.sleep(SETTLE_MS);
  const before = memoryKiB(peer.pid);
  await crowd(args, async (grow) => {
    for (const count of CROWDS) {
      await grow(count);
      await systemClock.sleep(SETTLE_MS);
      perConnection[count] = (memoryKiB(peer.pid) - before) / count;
    }
  });
  return { rest, perConnection };
}

/** Clients in a process of their own, which end with `during`. */
async function crowd(
  args: readonly string[],
  during: (grow: (count: number) => Promise<void>) => Promise<void>,
): Promise<void> {
  const child = fork(fileURLToPath(new URL("../crowd.js", import.meta.url)), args);
  const gone = once(child, "exit").then(() => Promise.reject(new Error("the crowd has gone")));
  gone.catch(() => undefined);
  try {
    await during(async (count) => {
      const there = once(child, "message");
      child.send(count);
      await Promise.race([there, gone]);
    });
  } finally {
    await end(child);
  }
}
