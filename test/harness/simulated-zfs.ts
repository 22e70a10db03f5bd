import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inflateRawSync } from "node:zlib";
import type { TestContext } from "vitest";
import { tempDir } from "./temp.ts";
import { writeZfsStub } from "./zfs-stub.ts";

const PROGRAM = fileURLToPath(new URL("./zfs-simulator.mjs", import.meta.url));

interface Point {
  readonly name: string;
  readonly guid: string;
}

interface Dataset {
  readonly encryption: string;
  readonly keyLoaded: boolean;
  readonly properties: Readonly<Record<string, string>>;
  readonly excluded: readonly string[];
  readonly snapshots: readonly (Point & { readonly holds: readonly string[] })[];
  readonly bookmarks: readonly Point[];
  readonly partial?: { readonly bytes: number };
}

/**
 * A `zfs` and a `zpool` without pools, that take what the usage of OpenZFS says and nothing else: for what it has and zfs-fuse has not, where
 * none is at hand.
 */
export interface SimulatedZfs {
  readonly binDir: string;
  /** @throws Error when it fails. */
  zfs(...argv: readonly string[]): string;
  ran(...argv: readonly string[]): { readonly status: number | null; readonly stderr: string };
  /** A snapshot with that as its contents. */
  change(dataset: string, snapshot: string, contents: Buffer): void;
  dataset(name: string): Dataset;
  /** As one would read it there, with the key. */
  contents(snapshot: string): Buffer;
  /** Arguments of all calls of a command, in order. */
  calls(command: string): readonly (readonly string[])[];
}

const recorded = (name: string) =>
  readFileSync(new URL(`../fixtures/zfs/openzfs-2.1.11/${name}.txt`, import.meta.url), "utf8");

export function simulatedZfs(test: Pick<TestContext, "onTestFinished">): SimulatedZfs {
  const folder = tempDir(test);
  const binDir = join(folder, "bin");
  mkdirSync(binDir);
  const stub = writeZfsStub(folder, { usage: recorded("usage.err"), properties: recorded("get.err") });
  for (const name of ["zfs", "zpool"]) {
    // Both write to standard output: what is taken is asked of the stub, and done by the simulator.
    const check = name === "zfs" ? `'${stub.path}' "$@" </dev/null || exit\n` : "";
    const text = `#!/bin/sh\n${check}exec '${process.execPath}' '${PROGRAM}' '${folder}' ${name} "$@"\n`;
    writeFileSync(join(binDir, name), text, { mode: 0o755 });
  }
  const ran = (...argv: readonly string[]) =>
    spawnSync(join(binDir, "zfs"), argv, { encoding: "utf8", input: "" });
  const zfs = (...argv: readonly string[]): string => {
    const { status, stdout, stderr } = ran(...argv);
    if (status !== 0) throw new Error(`zfs ${argv.join(" ")}: status ${status}: ${stderr}`);
    return stdout;
  };
  const dataset = (name: string): Dataset => {
    const { datasets } = JSON.parse(readFileSync(join(folder, "state"), "utf8"));
    if (!datasets[name]) throw new Error(`there is no ${name}`);
    return datasets[name];
  };
  return {
    binDir,
    zfs,
    ran,
    change(name, snapshot, contents) {
      writeFileSync(join(folder, `contents-${encodeURIComponent(name)}`), contents);
      zfs("snapshot", `${name}@${snapshot}`);
    },
    dataset,
    contents(snapshot) {
      const [name = "", own] = snapshot.split("@");
      const { encryption, snapshots } = dataset(name);
      const guid = snapshots.find((one) => one.name === own)?.guid;
      const bytes = readFileSync(join(folder, `data-${guid}`));
      return inflateRawSync(encryption === "off" ? bytes : Buffer.from(bytes.map((byte) => byte ^ 0x5a)));
    },
    calls: (command) =>
      readFileSync(join(folder, "log"), "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as string[])
        .filter(([program, given]) => program === "zfs" && given === command)
        .map(([, , ...argv]) => argv),
  };
}
