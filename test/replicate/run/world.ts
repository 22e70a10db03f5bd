import { afterAll, beforeAll } from "vitest";
import type { ReplicateJob } from "../../../src/config/replicate.ts";
import type { RunOutcome } from "../../../src/replicate/outcome.ts";
import type { Remembered, RunOptions } from "../../../src/replicate/run/options.ts";
import { runJob } from "../../../src/replicate/run/run.ts";
import { systemClock } from "../../../src/util/clock.ts";
import { type Archive, startArchive } from "../../harness/archive.ts";
import type { Client } from "../../harness/scene.ts";
import type { Zfs } from "../../harness/zfs.ts";
import { files, fillDataset } from "../../harness/zfs-files.ts";
import { startZfsWorld, type ZfsWorld } from "../../harness/zfs-world.ts";

/** A source here with pool `tank`, and an archiver behind the jump with pool `backup`. */
export interface RunWorld {
  readonly archive: Archive;
  readonly source: ZfsWorld;
}

/** One for all tests of a file. `up`: the archiver is kept running between them. */
export function useRunWorld({ up = true } = {}): () => RunWorld {
  let world: RunWorld | undefined;
  let keeper: Client | undefined;
  beforeAll(async () => {
    const [archive, source] = await Promise.all([startArchive(), startZfsWorld("source")]);
    world = { archive, source };
    await source.createPool("tank");
    if (up) {
      keeper = await archive.session();
      // Until its pools are there.
      await archive.there.zpool("list");
    }
  }, 90_000);
  afterAll(async () => {
    await keeper?.[Symbol.asyncDispose]();
    await world?.archive[Symbol.asyncDispose]();
    await world?.source[Symbol.asyncDispose]();
  }, 90_000);
  return () => {
    if (!world) throw new Error("no world was started");
    return world;
  };
}

export function jobOf(
  { source, sshConfig }: { source: Pick<ZfsWorld, "binDir">; sshConfig: string },
  more: Partial<ReplicateJob>,
): ReplicateJob {
  return {
    name: "safe",
    target: "archiver",
    direction: "push",
    source: "tank/safe",
    destination: "backup/safe",
    recursive: false,
    exclude: [],
    snapshots: { include: ["*"], exclude: [] },
    ssh: {
      program: "ssh",
      config: sshConfig,
      user: undefined,
      identity: undefined,
      jump: undefined,
      port: undefined,
      options: [],
    },
    zfs: `${source.binDir}/zfs`,
    remoteZfs: "zfs",
    send: { raw: undefined, compress: "auto", rateLimit: undefined, intermediates: true },
    keep: undefined,
    before: undefined,
    after: undefined,
    bootTimeoutMs: 60_000,
    timeoutMs: 120_000,
    stallTimeoutMs: 30_000,
    maxAgeMs: undefined,
    scrubEveryMs: undefined,
    report: { onStart: [], onSuccess: [], onFailure: [] },
    ...more,
  };
}

export interface Run {
  readonly outcome: RunOutcome;
  readonly remembered: Remembered | undefined;
  readonly said: readonly string[];
}

export async function run(
  { source, archive: { sshConfig } }: RunWorld,
  more: Partial<ReplicateJob> = {},
  options: Partial<RunOptions> = {},
): Promise<Run> {
  return runAlone(jobOf({ source, sshConfig }, more), options);
}

export async function runAlone(job: ReplicateJob, options: Partial<RunOptions> = {}): Promise<Run> {
  let remembered: Remembered | undefined;
  const said: string[] = [];
  const outcome = await runJob({
    job,
    allowed: { rollback: false, destroyTarget: false },
    clock: systemClock,
    signal: new AbortController().signal,
    env: process.env,
    remembered: undefined,
    onRemember: async (what) => {
      remembered = what;
    },
    progress: undefined,
    say: (line) => said.push(line),
    ...options,
  });
  return { outcome, remembered, said };
}

/** A dataset with files and that many snapshots, named "1", "2" …, each with other contents. */
export async function dataset(zfs: Zfs, name: string, snapshots: number, bytes = 64 * 1024): Promise<void> {
  await zfs.zfs("create", name);
  for (let n = 1; n <= snapshots; n++) await change(zfs, name, `${n}`, n, bytes);
}

/** Other contents, and a snapshot of them. */
export async function change(
  zfs: Zfs,
  name: string,
  snapshot: string,
  seed: number,
  bytes = 64 * 1024,
): Promise<void> {
  await fillDataset(zfs, name, { seed, bytes, files: 8 });
  await zfs.zfs("snapshot", `${name}@${snapshot}`);
}

/** Of each snapshot what is in it, by GUID. */
export async function contents(zfs: Zfs, name: string): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {};
  for (const { name: snapshot, guid } of await zfs.snapshots(name)) {
    all[guid] = await files(zfs, `${name}@${snapshot}`);
  }
  return all;
}
