import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../src/util/clock.ts";

/** A zfs-fuse of its own with one pool in memory. */
export interface Pools extends AsyncDisposable {
  /** Path of its `zfs`, beside which is its `zpool`. */
  readonly zfs: string;
  /** Makes the pool anew, empty, whatever was in it and holds it. Its first filesystem is not mounted. */
  recreate(): void;
  run(program: "zfs" | "zpool", ...args: readonly string[]): string;
  /** Where this process sees what the daemon sees at `path`. */
  path(path: string): string;
}

const FOLDERS = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
const NEEDED = ["zfs-fuse", "zfs", "zpool", "unshare", "nsenter", "setpriv"];

/** Why pools cannot be had here, and what to do; undefined when they can. */
export function noPools(): string | undefined {
  if (process.getuid?.() !== 0) return "the case replicate makes mounts of its own: run it as root";
  const missing = NEEDED.filter((name) => programAt(name) === undefined);
  if (missing.length > 0)
    return `the case replicate needs ${missing.join(", ")}: apt-get install zfs-fuse util-linux`;
  try {
    accessSync("/dev/fuse");
    return undefined;
  } catch {
    return "the case replicate needs /dev/fuse: modprobe fuse, or give it to this container";
  }
}

const programAt = (name: string): string | undefined =>
  FOLDERS.map((folder) => join(folder, name)).find((path) => existsSync(path));
const program = (name: string): string => programAt(name) ?? name;

/** Its socket, its list of pools and its mounts are where no other daemon and no other `zfs` sees them. */
const PRIVATE = `set -eu
mount -t tmpfs -o mode=755 bench-zfs /run
mkdir -p /run/zfs /run/lock
mount -t tmpfs bench-zfs /var/lib/zfs
exec "$@"`;

/** @throws Error when the daemon does not come. */
export async function startPools(folder: string, pool: string, megabytes: number): Promise<Pools> {
  const daemon = spawn(
    program("unshare"),
    [
      ...["--mount", "--propagation", "private", "sh", "-c", PRIVATE, "sh"],
      ...[program("setpriv"), "--pdeathsig", "KILL", program("zfs-fuse"), "--no-daemon", "--no-kstat-mount"],
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let said = "";
  daemon.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const ended = once(daemon, "exit");
  const pid = daemon.pid ?? 0;
  const listens = () =>
    readFileSync(`/proc/${pid}/mountinfo`, "utf8").includes("bench-zfs") &&
    existsSync(`/proc/${pid}/root/run/zfs/zfs_socket`);
  for (const until = Date.now() + 30_000; ; ) {
    if (daemon.exitCode !== null || Date.now() > until) throw new Error(`zfs-fuse did not start: ${said}`);
    if (listens()) break;
    await systemClock.sleep(20);
  }
  const bin = join(folder, `${pool}-bin`);
  mkdirSync(bin);
  const enter = [program("nsenter"), `--mount=/proc/${pid}/ns/mnt`, "--"];
  for (const name of ["zfs", "zpool"]) {
    const text = `#!/bin/sh\nexec ${enter.join(" ")} ${program(name)} "$@"\n`;
    writeFileSync(join(bin, name), text, { mode: 0o755 });
  }
  const run: Pools["run"] = (name, ...args) =>
    execFileSync(join(bin, name), args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  const path: Pools["path"] = (inside) => `/proc/${pid}/root${inside}`;
  let made = false;
  return {
    zfs: join(bin, "zfs"),
    run,
    path,
    recreate() {
      if (made) run("zpool", "destroy", "-f", pool);
      writeFileSync(path(`/run/${pool}`), "");
      truncateSync(path(`/run/${pool}`), megabytes * 2 ** 20);
      run("zpool", "create", "-O", "mountpoint=none", pool, `/run/${pool}`);
      made = true;
    },
    async [Symbol.asyncDispose]() {
      daemon.kill("SIGKILL");
      await ended;
    },
  };
}
