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
  /** KiB for each connection, by how many there were. */
  readonly perConnection: Readonly<Record<number, number>>;
}

export const CROWDS = [10, 100, 500] as const;

/** After the last has come, until buffers have been given back. */
const SETTLE_MS = 3_000;

/** Memory of connections that do nothing, each with one open channel. */
export async function idle(keys: Keys, peer: Peer, endPort: number): Promise<Idle> {
  const args = [String(peer.port), userAt(keys, peer), keys.client, String(endPort)];
  const rest = memoryKiB(peer.pid);
  const perConnection: Record<number, number> = {};
  const child = fork(fileURLToPath(new URL("../crowd.js", import.meta.url)), args);
  try {
    for (const count of CROWDS) {
      const there = once(child, "message");
      const gone = once(child, "exit").then(() => Promise.reject(new Error("the crowd has gone")));
      gone.catch(() => undefined);
      child.send(count);
      await Promise.race([there, gone]);
      await systemClock.sleep(SETTLE_MS);
      perConnection[count] = (memoryKiB(peer.pid) - rest) / count;
    }
    return { rest, perConnection };
  } finally {
    await end(child);
  }
}
