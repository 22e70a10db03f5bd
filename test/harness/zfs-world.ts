import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { quote } from "../../src/util/shell.ts";
import { type ClientResult, startClient } from "./scene.ts";
import { GONE } from "./temp.ts";
import { eventually } from "./world.ts";
import { type Zfs, zfsIn } from "./zfs.ts";
import { systemProgram } from "./zfs-needs.ts";

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** A machine's ZFS without the machine: a zfs-fuse that sees no pools but its own, and is seen by nobody else's `zfs`. */
export interface ZfsWorld extends Zfs, AsyncDisposable {
  readonly name: string;
  /** Of the daemon, whose mount namespace is the world. */
  readonly pid: number;
  /** On disk, the same path inside and outside, removed with the world. Its name has a space in it. */
  readonly folder: string;
  /** Has `zfs` and `zpool` that are this world's wherever they are run from, for a PATH or `--zfs`. */
  readonly binDir: string;
  /** As a command that runs inside, with `folder` as its working directory. */
  wrap(argv: readonly string[]): [string, ...string[]];
  /** Runs a command inside to its end, whatever that is. */
  exec(argv: readonly string[], options?: { input?: Buffer | string }): Promise<ClientResult>;
  /**
   * A pool on a new file: in memory, or in a folder that exists inside and outside.
   *
   * @returns the file's path inside.
   */
  createPool(name: string, options?: PoolOptions): Promise<string>;
  /** The daemon is gone at once, as when a plug is pulled: pools in memory are lost, others can be imported elsewhere. */
  kill(): Promise<void>;
}

export interface PoolOptions {
  /** Default 256; at least 64. The file is sparse. */
  readonly megabytes?: number;
  /** Default: in memory. */
  readonly folder?: string;
  /** Of its first filesystem. Default: none, and so it is mounted at `/NAME`. */
  readonly properties?: Readonly<Record<string, string>>;
}

/** Starts one, in 0.2 s or so. It ends with the process that started it, whatever ends that. */
export async function startZfsWorld(name: string): Promise<ZfsWorld> {
  const folder = mkdtempSync(join(tmpdir(), `lazyssh-zfs ${name}-`));
  const daemon = spawn(
    systemProgram("unshare"),
    ["--mount", "--propagation", "private", "sh", script("zfs-root.sh"), "sh", script("zfs-daemon.sh")],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let printed = "";
  for (const stream of [daemon.stdout, daemon.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
    });
  }
  let gone = false;
  const ended = once(daemon, "close").then(
    () => {
      gone = true;
    },
    (error: Error) => {
      gone = true;
      printed += error.message;
    },
  );
  const kill = async (): Promise<void> => {
    daemon.kill("SIGKILL");
    await ended;
  };
  const dispose = async (): Promise<void> => {
    await kill();
    rmSync(folder, GONE);
  };

  try {
    const pid = daemon.pid ?? 0;
    await eventually(
      `zfs-fuse of world ${name} to listen`,
      () => {
        if (gone) throw new Error(`zfs-fuse of world ${name} ended: ${printed}`);
        return existsSync(`/proc/${pid}/root/pools`) && existsSync(`/proc/${pid}/root/run/zfs/zfs_socket`);
      },
      60_000,
    );
    const wrap = (argv: readonly string[]): [string, ...string[]] => [
      systemProgram("nsenter"),
      ...[`--mount=/proc/${pid}/ns/mnt`, `--wdns=${folder}`, "--", ...argv],
    ];
    const exec: ZfsWorld["exec"] = async (argv, { input = "" } = {}) => {
      const [command, ...args] = wrap(argv);
      const client = startClient(command, args);
      client.process.stdin.end(input);
      return client.ended;
    };
    const zfs = zfsIn(exec, () => `/proc/${pid}/root`);
    return {
      ...zfs,
      name,
      pid,
      folder,
      binDir: writeWrappers(join(folder, "bin"), wrap),
      wrap,
      exec,
      async createPool(pool, { megabytes = 256, folder: place = "/pools", properties = {} } = {}) {
        const file = join(place, `${pool}.pool`);
        const made = await exec(["truncate", "-s", `${megabytes}M`, file]);
        if (made.code !== 0) throw new Error(`no file for pool ${pool} in ${place}: ${made.stderr}`);
        const set = Object.entries(properties).flatMap(([key, value]) => ["-O", `${key}=${value}`]);
        await zfs.zpool("create", ...set, pool, file);
        return file;
      },
      kill,
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

function writeWrappers(folder: string, wrap: ZfsWorld["wrap"]): string {
  mkdirSync(folder);
  for (const name of ["zfs", "zpool"]) {
    const words = quote(wrap([systemProgram(name)]));
    writeFileSync(join(folder, name), `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
  }
  return folder;
}
