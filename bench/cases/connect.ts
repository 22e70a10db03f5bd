import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Keys, Peer } from "../peers.ts";
import { cpuSeconds } from "../processes.ts";
import { userAt } from "./bulk.ts";

export interface ConnectOptions {
  readonly keys: Keys;
  readonly peer: Peer;
  /** Of a `greeter`. */
  readonly endPort: number;
}

/** From a TCP connection to the target's first byte through the jump host, in milliseconds, with a client that is there already. */
export interface Connects {
  readonly perSecond: number;
  /** The jump host's CPU for one connection, in milliseconds. */
  readonly cpuMs: number;
}

/** From the start of `ssh -W` to the target's first byte, in milliseconds. */
export async function firstByte(options: ConnectOptions): Promise<number> {
  const started = performance.now();
  const { arrived, leave } = open(options);
  await arrived;
  const ms = performance.now() - started;
  await leave();
  return ms;
}

/** `count` connections one after the other in each of two lanes. */
export async function connects(options: ConnectOptions, count: number): Promise<Connects> {
  const { peer } = options;
  const before = cpuSeconds(peer.pid);
  const started = performance.now();
  const lane = async (): Promise<void> => {
    for (let n = 0; n < count / 2; n++) {
      const { arrived, leave } = open(options);
      await arrived;
      await leave();
    }
  };
  await Promise.all([lane(), lane()]);
  const seconds = (performance.now() - started) / 1000;
  return { perSecond: count / seconds, cpuMs: ((cpuSeconds(peer.pid) - before) * 1000) / count };
}

/** The client ends as it should, so that sshd's children are seen to end. */
function open({ keys, peer, endPort }: ConnectOptions): {
  arrived: Promise<void>;
  leave: () => Promise<void>;
} {
  const args = [
    ...keys.options,
    "-p",
    String(peer.port),
    "-l",
    userAt(keys, peer),
    "-W",
    `127.0.0.1:${endPort}`,
    "127.0.0.1",
  ];
  const child = spawn("ssh", args, { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const arrived = new Promise<void>((resolve, reject) => {
    child.stdout?.once("data", () => resolve());
    void exited.then(() => reject(new Error("ssh ended before the first byte")));
  });
  return {
    arrived,
    async leave() {
      child.stdin?.end();
      await exited;
    },
  };
}
