import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import type { ReplicateJob } from "../../../src/config/replicate.ts";
import { guestBehindJump } from "../../harness/guest.ts";
import type { JumpHost } from "../../harness/jump-host.ts";
import { type Relay, startRelay } from "../../harness/relay.ts";
import { type Running, ssh, startSsh } from "../../harness/ssh.ts";
import { eventually } from "../../harness/world.ts";
import { jobOf } from "./world.ts";

/** Software emulation on a busy machine. */
export const LIMIT_MS = 240_000;

/** Of a link that the guest keeps up with, so that what has passed has also arrived, but for what is in windows of ssh. */
const RATE = 3_000_000;

/** A guest with OpenZFS 2.1 behind the jump, which boots when somebody connects. Pool `backup` is on its persistent disk. */
export interface GuestWorld {
  readonly jump: JumpHost;
  readonly sshConfig: string;
  /** A slow link to the jump that can be cut, and the config of an ssh that goes over it. */
  readonly relay: Relay;
  readonly relayConfig: string;
  /** What the guest and the jump host say of themselves, for a test that has failed. */
  told(): Promise<string>;
  /** Runs a line in the guest's shell, in a session that is there from the first one to the end, and answers what it prints. */
  on(line: string): Promise<string>;
  /** What is in a snapshot there, file by file, also where it is not mounted. */
  filesOf(snapshot: string): Promise<string>;
  /**
   * The guest as both sides: its `zfs` as though it were here, without the jump's link. Its pool `tank` is in memory.
   *
   * @returns a job from `tank` to `backup`, whose own way to the guest is the relay.
   */
  ownJob(more: Partial<ReplicateJob>): ReplicateJob;
  /** What that `zfs` was asked to do since the last time, as words joined by spaces. */
  asked(): Promise<readonly string[]>;
}

/** Makes `backup` or imports it, whatever there is. */
export const POOL =
  "until [ -e /run/zfs-ready ]; do sleep 0.1; done; zpool list backup >/dev/null 2>&1 || zpool import -N backup || zpool create -O mountpoint=none backup /dev/vdb";

/** The same, and `tank`, which is in memory and goes with the guest. */
export const POOLS = `${POOL}; zpool list tank >/dev/null 2>&1 || { truncate -s 200M /tank.img && zpool create tank /tank.img; }`;

/** One for all tests of a file, since a boot takes its time. */
export function useGuest(): () => GuestWorld {
  let world: (GuestWorld & AsyncDisposable) | undefined;
  beforeAll(async () => {
    world = await startGuest();
  }, 90_000);
  afterEach(async ({ task }) => {
    if (task.result?.state === "fail" && world) throw new Error(`the guest says:\n${await world.told()}`);
  }, 60_000);
  afterAll(() => world?.[Symbol.asyncDispose](), 90_000);
  return () => {
    if (!world) throw new Error("no guest was started");
    return world;
  };
}

async function startGuest(): Promise<GuestWorld & AsyncDisposable> {
  const guest = await guestBehindJump('linger = "1m"');
  const { jump, sshConfig, told } = guest;
  const { folder, port } = jump;
  const relay = await startRelay(port, { bytesPerSecond: RATE });
  const relayConfig = `${sshConfig}-relay`;
  const text = await readFile(sshConfig, "utf8");
  await writeFile(
    relayConfig,
    text.replace(`Port ${port}`, `Port ${relay.port}\n  HostKeyAlias [127.0.0.1]:${port}`),
  );

  const socket = join(folder.path, "own");
  const shared = ["-F", sshConfig, "-S", socket, "guest"];
  let own: Running | undefined;
  const on = async (line: string): Promise<string> => {
    own ??= startSsh(["-NM", ...shared], { deadlineMs: 4 * LIMIT_MS });
    await eventually("a session of ours", () => existsSync(socket), LIMIT_MS / 2);
    const { code, stdout, stderr } = await ssh([...shared, line], { deadlineMs: LIMIT_MS / 2 });
    expect({ line, code, stderr: code === 0 ? "" : stderr }).toEqual({ line, code: 0, stderr: "" });
    return stdout.toString().trim();
  };

  const log = join(folder.path, "asked");
  await writeFile(log, "");
  const over = shared.map((word) => `'${word}'`).join(" ");
  for (const program of ["zfs", "zpool"]) {
    const script = `#!/bin/sh
words=
for word do words="$words '$word'"; done
echo "$*" >>'${log}'
exec ssh ${over} "${program}$words"
`;
    await writeFile(join(folder.path, program), script, { mode: 0o755 });
  }

  return {
    ...{ jump, sshConfig, relay, relayConfig, on, told },
    async filesOf(snapshot) {
      const clone = `${snapshot.split("/")[0]}/look`;
      const listed = await on(
        `zfs clone -o mountpoint=/look -o canmount=on -o readonly=on ${snapshot} ${clone} && cd /look && find . -type f -exec sha256sum {} + | sort -k2; cd /; zfs destroy ${clone}`,
      );
      expect(listed).toMatch(/^[0-9a-f]{64} /);
      return listed;
    },
    ownJob: (more) => {
      const job = jobOf({ source: { binDir: folder.path }, sshConfig: relayConfig }, more);
      return {
        ...job,
        target: "guest",
        bootTimeoutMs: 120_000,
        timeoutMs: LIMIT_MS / 2,
        stallTimeoutMs: 60_000,
      };
    },
    asked: async () => {
      const words = await readFile(log, "utf8");
      await writeFile(log, "");
      return words.split("\n").filter((line) => line !== "");
    },
    async [Symbol.asyncDispose]() {
      await own?.end();
      await relay[Symbol.asyncDispose]();
      await guest[Symbol.asyncDispose]();
    },
  };
}
