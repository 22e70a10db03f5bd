import { spawn } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { once } from "node:events";
import { closeSync, fsyncSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { World } from "../compare.ts";
import type { Figure } from "../figures.ts";
import { type Keys, startLazyssh, startSshd } from "../peers.ts";
import { noPools, type Pools, startPools } from "../zfs.ts";

/** 10^6 bytes. */
const MEGABYTES = 200;
const LINK_MB_PER_SECOND = 30;

/**
 * What `lazyssh replicate` takes for one snapshot beside `zfs send | ssh -J … zfs recv`, both through the same jump host to a machine
 * that is up: all that is looked at, held and verified is the difference. What is sent cannot be compressed, as the source, which has
 * `compression=on`, has found.
 * Where there can be no pools, it says what is missing, and there are no figures.
 */
export async function replicate(world: World): Promise<readonly Figure[]> {
  const missing = noPools();
  if (missing !== undefined) {
    process.stderr.write(`left out: ${missing}\n`);
    return [];
  }
  const { keys, tree, ends, rounds, progress } = world;
  await using jump = await startLazyssh(keys, tree, world.workers);
  await using machine = await startSshd(keys, "archiver");
  await using source = await startPools(keys.dir, "tank", 2 * MEGABYTES);
  await using target = await startPools(keys.dir, "backup", 2 * MEGABYTES);
  fill(source);
  const limited = await ends.port({
    ...{ do: "relay", port: jump.port, delayMs: 0 },
    bytesPerSecond: LINK_MB_PER_SECOND * 1e6,
  });
  const figures: Figure[] = [];
  for (const [title, port] of [
    [`replicate ${MEGABYTES} MB at ${LINK_MB_PER_SECOND} MB/s`, limited],
    [`replicate ${MEGABYTES} MB`, jump.port],
  ] as const) {
    const config = writeSshConfig(keys, { jump: port, machine: machine.port });
    const times = { lazyssh: [] as number[], sshd: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      progress(`${title}: round ${round + 1} of ${rounds}`);
      const name = `bench-${port}-${round}`;
      const ways = {
        sshd: [
          "sh",
          "-c",
          `'${source.zfs}' send tank/data@one | ssh -F '${config}' archiver '${target.zfs}' recv -u backup/data`,
        ],
        lazyssh: [
          ...[
            tree.node,
            tree.main,
            "replicate",
            "tank/data",
            "archiver:backup/data",
            "--name",
            name,
            "-F",
            config,
          ],
          ...["--zfs", source.zfs, "--remote-zfs", target.zfs, "--state-dir", join(keys.dir, name)],
        ],
      };
      const order = ["lazyssh", "sshd"] as const;
      for (const way of round % 2 === 0 ? order : order.toReversed()) {
        target.recreate();
        times[way].push(await seconds(ways[way]));
        const guids = [
          source.run("zfs", "get", "-Hp", "guid", "tank/data@one"),
          target.run("zfs", "get", "-Hp", "guid", "backup/data@one"),
        ];
        if (new Set(guids.map((text) => text.split("\t")[2])).size !== 1)
          throw new Error(`${title}: not what was sent arrived`);
      }
    }
    const more = times.lazyssh.map((time, round) => time - (times.sshd[round] ?? Number.NaN));
    figures.push(
      { name: `${title}, time`, unit: "s", ...times },
      { name: `${title}, more`, unit: "s", lazyssh: more },
    );
  }
  return figures;
}

function fill(source: Pools): void {
  source.recreate();
  source.run("zfs", "create", "-o", "mountpoint=/run/data", "-o", "compression=on", "tank/data");
  const file = openSync(source.path("/run/data/file"), "w");
  const block = Buffer.alloc(1e6);
  for (let n = 0; n < MEGABYTES; n++) writeSync(file, randomFillSync(block));
  fsyncSync(file);
  closeSync(file);
  source.run("zfs", "snapshot", "tank/data@one");
}

function writeSshConfig(keys: Keys, ports: { readonly jump: number; readonly machine: number }): string {
  const path = join(keys.dir, `replicate-${ports.jump}`);
  const common = keys.options
    .filter((word) => word.includes("="))
    .map((word) => `  ${word.replace("=", " ")}\n`)
    .join("");
  const host = (name: string, user: string, port: number) =>
    `Host ${name}\n  HostName 127.0.0.1\n  User ${user}\n  Port ${port}\n`;
  const text = `${host("jump", "jump", ports.jump)}${host("archiver", keys.user, ports.machine)}  ProxyJump jump\nHost *\n${common}`;
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

/** @throws Error with what it has printed when it fails. */
async function seconds([command = "", ...args]: readonly string[]): Promise<number> {
  const started = performance.now();
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: status ${code}: ${said}`);
  return (performance.now() - started) / 1000;
}
