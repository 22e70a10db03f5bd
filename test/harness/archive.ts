import { existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { quote } from "../../src/util/shell.ts";
import { type Relay, type RelayOptions, startRelay } from "./relay.ts";
import { type Scene, type SceneOptions, startScene } from "./scene.ts";
import { eventually } from "./world.ts";
import { type Zfs, zfsIn } from "./zfs.ts";
import { systemProgram } from "./zfs-needs.ts";

const BOOT = fileURLToPath(new URL("./zfs-boot.sh", import.meta.url));

export interface ArchiveOptions extends SceneOptions {
  /** Name of the pool on the volume, which is made in the first boot. Default `backup`. */
  readonly pool?: string;
  /** Size of its file, which is sparse. Default 256, at least 64. */
  readonly megabytes?: number;
}

/**
 * A backup machine that runs only while somebody is connected: target `archiver` behind the built program, with a
 * zfs-fuse of its own that starts when it boots and is gone when it ends, and a pool that is on its volume.
 * `ssh -F sshConfig archiver zpool list` is all that is needed.
 */
export interface Archive extends Scene {
  /** The machine's ZFS, without ssh, as soon as it has booted; that is waited for, but does not boot it. */
  readonly there: Zfs;
  /** Runs a command there through the jump, which boots it. @throws Error when it fails. */
  over(...argv: readonly string[]): Promise<string>;
  /** A relay in front of the jump host, and the ssh config that leads through it. */
  relay(options?: RelayOptions): Promise<Relay & { readonly sshConfig: string }>;
}

export async function startArchive({
  pool = "backup",
  megabytes = 256,
  ...options
}: ArchiveOptions = {}): Promise<Archive> {
  const scene = await startScene({
    ...options,
    world: { boot: BOOT, ...options.world },
  });
  const { world, sshConfig } = scene;
  const file = join(world.volumeFolder, `${pool}.pool`);
  const relays: Relay[] = [];
  // There before anything of the machine runs: no session ever finds the `zfs` of the system in their place.
  world.cloud.onEvent((event) => {
    if (event.type === "instance.launched") writeWrappers(join(world.dir, "instances", event.instance));
  });
  writeFileSync(file, "");
  truncateSync(file, megabytes * 2 ** 20);

  const booted = (): string | undefined => {
    for (const { id } of scene.running()) {
      const ready = join(world.dir, "instances", id, "zfs-ready");
      if (existsSync(ready)) return `/proc/${readFileSync(ready, "utf8").trim()}`;
    }
    return undefined;
  };
  const there = zfsIn(
    async (argv) => {
      const process = await eventually("the archiver's pools to be there", booted, 60_000);
      const client = scene.start(systemProgram("nsenter"), [`--mount=${process}/ns/mnt`, "--", ...argv]);
      client.process.stdin.end();
      return client.ended;
    },
    () => `${booted()}/root`,
  );
  return {
    ...scene,
    // A getter is not copied as one.
    get jump() {
      return scene.jump;
    },
    there,
    async over(...argv) {
      const words = quote(argv);
      const { code, stdout, stderr } = await scene.ssh(words, { args: [] });
      if (code !== 0) throw new Error(`${words} on archiver: status ${code}: ${stderr}`);
      return stdout.toString();
    },
    async relay(relayOptions) {
      const text = readFileSync(sshConfig, "utf8");
      const port = /^Host lazyssh$.*?^ {2}Port (\d+)$/ms.exec(text)?.[1];
      const relay = await startRelay(Number(port), relayOptions);
      relays.push(relay);
      const own = `${sshConfig}-${relay.port}`;
      const through = text.replaceAll(sshConfig, own).replace(`  Port ${port}\n`, `  Port ${relay.port}\n`);
      writeFileSync(own, through, { mode: 0o600 });
      return Object.assign(relay, { sshConfig: own });
    },
    async [Symbol.asyncDispose]() {
      for (const relay of relays) await relay[Symbol.asyncDispose]();
      await scene[Symbol.asyncDispose]();
    },
  };
}

/** `zfs` and `zpool` in a machine's ~/bin: they wait until it has booted, and then go where its daemon is. */
function writeWrappers(home: string): void {
  const bin = join(home, "bin");
  mkdirSync(bin, { recursive: true });
  for (const name of ["zfs", "zpool"]) {
    const text = `#!/bin/sh
until [ -e '${home}/zfs-ready' ]; do
  [ ! -e '${home}/zfs-failed' ] || { echo '${name}: the boot has failed, see the console' >&2; exit 1; }
  sleep 0.02
done
exec nsenter --mount=/proc/$(cat '${home}/zfs-ready')/ns/mnt --wdns='${home}' -- '${systemProgram(name)}' "$@"
`;
    writeFileSync(join(bin, name), text, { mode: 0o755 });
  }
}
