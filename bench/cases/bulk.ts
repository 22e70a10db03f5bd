import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, ftruncateSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Keys, Peer } from "../peers.ts";
import { cpuSeconds } from "../processes.ts";

export interface Bulk {
  /** 10^6 bytes a second. */
  readonly mbPerSecond: number;
  /** Seconds of the jump host's CPU for 10^9 bytes. */
  readonly cpuPerGb: number;
}

export interface BulkOptions {
  readonly keys: Keys;
  readonly peer: Peer;
  readonly bytes: number;
  /** Of a `sink` or a `source` of so many bytes. */
  readonly endPort: number;
  readonly direction: "up" | "down";
  readonly cipher: string | undefined;
  /** Where the client connects instead of to the peer itself, such as a relay. */
  readonly through?: number;
  /** How many clients at once, each with so many bytes. */
  readonly streams?: number;
  /** A second jump within the first, to this port. */
  readonly inner?: number;
}

const DEADLINE_MS = 180_000;

/** Moves bytes through `ssh -W`, from the client's first byte to the arrival of the last. */
export async function bulk(options: BulkOptions): Promise<Bulk> {
  const { peer, bytes, streams = 1 } = options;
  const before = cpuSeconds(peer.pid);
  const started = performance.now();
  const clients = Array.from({ length: streams }, () => transfer(options));
  try {
    await Promise.all(clients.map(({ arrived }) => arrived));
    const seconds = (performance.now() - started) / 1000;
    // While the connections still stand: what sshd's children have used is lost when their clients vanish.
    const cpu = cpuSeconds(peer.pid) - before;
    const all = bytes * streams;
    return { mbPerSecond: all / 1e6 / seconds, cpuPerGb: cpu / (all / 1e9) };
  } finally {
    await Promise.all(clients.map(({ leave }) => leave()));
  }
}

function transfer(options: BulkOptions): { arrived: Promise<void>; leave: () => Promise<void> } {
  const { bytes, direction } = options;
  const input = direction === "up" ? zeros(bytes) : undefined;
  const child = spawn("ssh", sshArguments(options), { stdio: [input ?? "pipe", "pipe", "inherit"] });
  if (input !== undefined) closeSync(input);
  const exited = once(child, "exit");
  let got = 0;
  const wanted = direction === "up" ? 1 : bytes;
  const arrived = new Promise<void>((resolve, reject) => {
    child.stdout?.on("data", (chunk: Buffer) => {
      got += chunk.length;
      if (got >= wanted) resolve();
    });
    void exited.then(() => reject(new Error(`ssh ended after ${got} of ${wanted} bytes`)));
    setTimeout(
      () => reject(new Error(`${got} of ${wanted} bytes in ${DEADLINE_MS} ms`)),
      DEADLINE_MS,
    ).unref();
  });
  return {
    arrived,
    async leave() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
      await exited;
    },
  };
}

function sshArguments({ keys, peer, through, endPort, cipher, inner }: BulkOptions): string[] {
  const ciphers = cipher === undefined ? [] : ["-c", cipher];
  const user = userAt(keys, peer);
  const port = String(through ?? peer.port);
  if (inner === undefined)
    return [...keys.options, ...ciphers, "-p", port, "-l", user, "-W", `127.0.0.1:${endPort}`, "127.0.0.1"];
  const jump = [
    "ssh",
    ...keys.options,
    ...ciphers,
    "-p",
    port,
    "-l",
    user,
    "-W",
    `127.0.0.1:${inner}`,
    "127.0.0.1",
  ].join(" ");
  return [
    ...keys.options,
    ...ciphers,
    "-o",
    `ProxyCommand=${jump}`,
    "-p",
    String(inner),
    "-l",
    keys.user,
    "-W",
    `127.0.0.1:${endPort}`,
    "127.0.0.1",
  ];
}

export function userAt(keys: Keys, peer: Peer): string {
  return peer.name === "lazyssh" ? "jump" : keys.user;
}

/** An open file of zeros that takes no room. */
function zeros(bytes: number): number {
  const path = join(tmpdir(), `lazyssh-bench-zeros-${process.pid}`);
  const file = openSync(path, "w+");
  ftruncateSync(file, bytes);
  rmSync(path);
  return file;
}
