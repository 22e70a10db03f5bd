import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { lstat, mkdir, readFile, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type JumpHost, startJumpHost } from "./jump-host.ts";
import { requires, skipping, type TestWith } from "./requires.ts";
import { type KeyFiles, ssh } from "./ssh.ts";
import { freePort } from "./tcp.ts";

const run = promisify(execFile);

/** The folder of the guest: `start.sh`, a kernel, and packed images of Debian with OpenZFS, which QEMU runs. */
const GUEST = process.env.LAZYSSH_TEST_GUEST ?? fileURLToPath(new URL("../../../shared/vm", import.meta.url));
const IMAGES = { "root.img": ["--long=27"], "initrd.cpio": [] } as const;

/**
 * Runs a test where the guest is. It is no package that could be installed, so that without it even a run under CI skips, loudly and by name; but
 * not where it was said to be.
 */
export const testWithGuest: TestWith =
  process.env.LAZYSSH_TEST_GUEST !== undefined || existsSync(join(GUEST, "start.sh"))
    ? requires("qemu-system-x86_64", "zstd")
    : skipping("needs the guest with OpenZFS (its folder in LAZYSSH_TEST_GUEST)");

/**
 * The folder of the unpacked images, which every guest reads and none writes: about 560 MB, unpacked once for each version and kept for the
 * next run.
 */
async function images(): Promise<string> {
  const { mtimeMs, size } = await stat(join(GUEST, "root.img.zst"));
  const uid = process.getuid?.() ?? 0;
  const folder = join(tmpdir(), `lazyssh-guest-${uid}-${size}-${Math.round(mtimeMs)}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { uid: owner, mode } = await lstat(folder);
  if (owner !== uid || (mode & 0o22) !== 0) throw new Error(`${folder} is not only ours: remove it`);
  for (const [image, options] of Object.entries(IMAGES)) {
    const path = join(folder, image);
    if (existsSync(path)) continue;
    const draft = `${path}.${process.pid}`;
    try {
      await run("zstd", ["-dqf", ...options, join(GUEST, `${image}.zst`), "-o", draft]);
      await rename(draft, path);
    } finally {
      await rm(draft, { force: true });
    }
  }
  return folder;
}

interface GuestOptions {
  /** Name of the target. */
  readonly name: string;
  /** Where the volume is, and stays: `volume.img`, 2 GiB and sparse, `/dev/vdb` in the guest. */
  readonly folder: string;
  /** Lets root in. */
  readonly key: KeyFiles;
  /** More of the target, as HCL. */
  readonly more?: string | undefined;
}

/**
 * With one processor QEMU takes locked instructions for plain ones, though its own thread for disks looks at the same queue: a request is lost
 * now and then, and ZFS waits for it for ever. With QEMU 7.2 that came three times in
 * 250,000 requests; with two processors not in 430,000.
 */
const PROCESSORS = "CPUS=2";

/**
 * A target of type `command` as HCL: a virtual machine with OpenZFS 2.1 that is anew at each boot but for its volume. It greets as SSH 5 to
 * 9 s after its start, `/run/zfs-ready` is there 2 s later, and it takes 5 s to power off. Its host key is always the same.
 */
async function guestTarget({ name, folder, key, more = "" }: GuestOptions): Promise<string> {
  const port = await freePort();
  const volume = join(folder, "volume.img");
  const inside = ["ssh", "-F", "none", "-i", key.path, "-p", String(port)];
  for (const option of ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"])
    inside.push("-o", option);
  const start = [
    "env",
    PROCESSORS,
    join(GUEST, "start.sh"),
    await images(),
    String(port),
    volume,
    `${key.path}.pub`,
  ];
  return `target ${JSON.stringify(name)} "command" {
  start      = ${JSON.stringify(start)}
  foreground = true
  stop       = ${JSON.stringify([...inside, "root@127.0.0.1", "busybox", "poweroff"])}
  to         = "127.0.0.1"
  port_map   = { "22" = ${port} }
  ${more}
}
`;
}

/** Pulls the plug of every machine that is in a state directory, for the end of a test. */
function unplug(stateDir: string): void {
  const folder = join(stateDir, "commands");
  for (const id of existsSync(folder) ? readdirSync(folder) : []) {
    const [child, ended] = ["child", "ended"].map((name) => join(folder, id, `${name}.json`));
    if (!child || !existsSync(child) || existsSync(ended ?? "")) continue;
    const { pid } = JSON.parse(readFileSync(child, "utf8")) as { pid: number };
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
}

export interface GuestBehindJump extends AsyncDisposable {
  readonly jump: JumpHost;
  /** For `ssh -F`: `guest`, as root. */
  readonly sshConfig: string;
  /** What it and the jump host say of themselves, for a test that has failed. */
  told(): Promise<string>;
}

/** What waits for what, and what the kernel has said. */
const STATE = `ps axo pid,stat,etimes,wchan:24,args | grep -v '\\]$'; for p in /proc/[0-9]*; do
  grep -qs '^State:.D' $p/status && echo "$p $(cat $p/comm)" && cat $p/stack; done; ls /run; grep virtio /proc/interrupts; dmesg | tail -n 15`;

/** The guest as target `guest` of a jump host, which boots it when somebody connects. `more` of the target, as HCL. */
export async function guestBehindJump(more?: string): Promise<GuestBehindJump> {
  let target = "";
  const jump = await startJumpHost({
    prepare: async (folder) => {
      const key = await folder.key("root");
      target = await guestTarget({ name: "guest", folder: folder.path, key, more });
    },
    get more() {
      return target;
    },
  });
  const { folder, clientKey, port, program, stateDir } = jump;
  const sshConfig = await folder.config({
    jump: { HostName: "127.0.0.1", Port: port, User: "jump", IdentityFile: clientKey.path },
    guest: {
      ProxyJump: "jump",
      User: "root",
      IdentityFile: join(folder.path, "root"),
      StrictHostKeyChecking: "accept-new",
      ConnectTimeout: 120,
    },
  });
  const told = async (): Promise<string> => {
    const console = await readFile(join(folder.path, "volume.img.console"), "utf8").catch(String);
    const asked = await ssh(["-F", sshConfig, "guest", STATE], { deadlineMs: 30_000 }).catch(
      (error: Error) => ({ stdout: error.message, stderr: "" }),
    );
    const log = program.log.slice(-15).map((line) => JSON.stringify(line));
    return [`${asked.stdout}${asked.stderr}`, console.slice(-1500), ...log].join("\n");
  };
  return {
    ...{ jump, sshConfig, told },
    async [Symbol.asyncDispose]() {
      program.kill("SIGKILL");
      await program.ended;
      unplug(stateDir);
      await jump[Symbol.asyncDispose]();
    },
  };
}
