import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { runProgram } from "../harness/program.ts";
import { useTwoWorlds } from "../harness/two-worlds.ts";
import { eventually } from "../harness/world.ts";
import { files, fillDataset } from "../harness/zfs-files.ts";
import { testWithZfs } from "../harness/zfs-needs.ts";
import type { ZfsWorld } from "../harness/zfs-world.ts";

const TIMEOUT_MS = 120_000;

const worlds = useTwoWorlds({ here: ["tank"], there: ["backup"] });
let cases = 0;

interface Fault {
  /** What it is called in the words of the error. */
  readonly says: RegExp;
  /** The program that is replaced. Undefined: none, the flags do it. */
  readonly at?: "zfs here" | "zfs there" | "ssh" | "zstd here" | "zstd there" | "mbuffer there";
  /** Shell: whether these arguments are to suffer. Default: all. */
  readonly when?: string;
  /** Shell; `real "$@"` does what it should. */
  readonly does?: string;
  readonly flags?: readonly string[];
  /** It comes over an increment, not over what is sent first. */
  readonly increment?: true;
  /** The stream itself, or its end, is what suffers: all is well once that is whole. */
  readonly stream?: true;
}

const HALF = 40_000;
const KILLED = "kill -9 $$";
const CUT = `head -c ${HALF}`;
/** Eight bytes in the middle are others. */
const SPOILT = `{ head -c ${HALF}; head -c 8 >/dev/null; printf spoilt!!; cat; }`;

const listing = 'test "$1" = get || test "$1" = list';
const send = {
  at: "zfs here",
  when: 'test "$1" = send',
  stream: true,
} as const;
const recv = { at: "zfs there", when: 'test "$1" = recv', stream: true } as const;
/** Not of what `zfs` can do, which is asked without a name. */
const about = (pool: string) => `{ ${listing}; } && case "$*" in *${pool}/*) true ;; *) false ;; esac`;
const listHere = { at: "zfs here", when: about("tank"), says: /listing tank\/|cut off/ } as const;
/** What is asked of the other side when something has arrived. */
const readBack = {
  at: "zfs there",
  says: /listing backup\/|cut off|no snapshot with the GUID|signal ends the command/,
  when: `{ ${listing}; } && real list "\${TARGET}" >/dev/null 2>&1`,
} as const;
const hold = { at: "zfs here", when: 'test "$1" = hold', says: /holding tank\/.* failed/ } as const;
const ssh = { at: "ssh", when: 'case "$*" in *recv*) true ;; *) false ;; esac', stream: true } as const;
const zstd = { at: "zstd here", stream: true } as const;
const unzstd = { at: "zstd there", stream: true } as const;
const mbuffer = { at: "mbuffer there", stream: true } as const;
const increment = true;

/** The first that a stage tells of a stream that is not whole. */
const RECV = /zfs recv( on archiver)? (failed|exited|was ended)|the connection to archiver was lost/;

const FAULTS: readonly (readonly [string, Fault])[] = [
  [
    "zfs send says 1 after all of it",
    { ...send, says: /zfs send exited with status 1/, does: 'real "$@"; exit 1' },
  ],
  ["zfs send sends nothing and says 0", { ...send, says: RECV, does: "exit 0" }],
  [
    "zfs send is killed in the middle",
    { ...send, increment, says: /zfs send/, does: `real "$@" | ${CUT}; ${KILLED}` },
  ],
  ["zfs send sends half and says 0", { ...send, increment, says: RECV, does: `real "$@" | ${CUT}; exit 0` }],
  ["zfs send sends other bytes", { ...send, increment, says: RECV, does: `real "$@" | ${SPOILT}; exit 0` }],
  ["zfs recv says 1 when all was read", { ...recv, says: RECV, does: "cat >/dev/null; exit 1" }],
  ["zfs recv says 0 and has received nothing", { ...recv, says: /zfs recv/, does: "exit 0" }],
  [
    "zfs recv reads all, receives nothing, says 0",
    { ...recv, says: /zfs recv ended well, but/, does: "cat >/dev/null; exit 0" },
  ],
  ["zfs recv is killed", { ...recv, increment, says: RECV, does: `${CUT} >/dev/null; ${KILLED}` }],
  [
    "zfs recv gets half and says 0",
    { ...recv, increment, says: /zfs recv/, does: `${CUT} | real "$@"; exit 0` },
  ],
  [
    "zfs recv gets other bytes and says 0",
    { ...recv, says: /zfs recv/, does: `${SPOILT} | real "$@"; exit 0` },
  ],
  ["the list here says 1", { ...listHere, does: 'real "$@"; exit 1' }],
  ["the list here is empty", { ...listHere, does: "exit 0" }],
  ["the list here is killed", { ...listHere, does: KILLED }],
  ["the list here ends after its first lines", { ...listHere, does: 'real "$@" | head -c 60; exit 0' }],
  ["the list here lacks its last bytes", { ...listHere, does: 'real "$@" | head -c -12; exit 0' }],
  ["the list here lacks its last line", { ...listHere, does: 'real "$@" | head -n -1; exit 0' }],
  [
    "the list there says 1",
    { at: "zfs there", when: about("backup"), says: /listing backup/, does: 'real "$@"; exit 1' },
  ],
  ["what has arrived is read back with 1", { ...readBack, does: 'real "$@"; exit 1' }],
  ["what has arrived is read back empty", { ...readBack, does: "exit 0" }],
  ["what has arrived is read back, and that is killed", { ...readBack, does: KILLED }],
  ["what has arrived is read back in part", { ...readBack, does: 'real "$@" | head -c 100; exit 0' }],
  ["the hold says 1", { ...hold, does: "exit 1" }],
  [
    "the hold says 0 and holds nothing",
    { ...hold, says: /nothing holds tank\/\S+@\S+: look at/, does: "exit 0" },
  ],
  ["the hold is killed", { ...hold, increment, does: KILLED }],
  ["ssh says 0 and has carried nothing", { ...ssh, says: /zfs recv/, does: "exit 0" }],
  ["ssh is killed in the middle", { ...ssh, increment, says: RECV, does: `${CUT} | real "$@"; ${KILLED}` }],
  ["ssh carries half and says 0", { ...ssh, says: /zfs recv/, does: `${CUT} | real "$@"; exit 0` }],
  ["ssh carries other bytes and says 0", { ...ssh, says: /zfs recv/, does: `${SPOILT} | real "$@"; exit 0` }],
  ["zstd says 1 after all of it", { ...zstd, says: /zstd exited with status 1/, does: 'real "$@"; exit 1' }],
  [
    "zstd is killed in the middle",
    { ...zstd, increment, says: /zstd/, does: `real "$@" | ${CUT}; ${KILLED}` },
  ],
  ["zstd writes half and says 0", { ...zstd, says: RECV, does: `real "$@" | ${CUT}; exit 0` }],
  ["zstd -d says 1 after all of it", { ...unzstd, says: /zstd/, does: 'real "$@"; exit 1' }],
  [
    "zstd -d writes half and says 0",
    { ...unzstd, increment, says: RECV, does: `real "$@" | ${CUT}; exit 0` },
  ],
  ["mbuffer is killed", { ...mbuffer, says: /mbuffer/, does: `real "$@" | ${CUT}; ${KILLED}` }],
  [
    "mbuffer passes other bytes on",
    { ...mbuffer, increment, says: RECV, does: `real "$@" | ${SPOILT}; exit 0` },
  ],
  ["before says 1", { says: /"before"/, flags: ["--before", '["false"]'] }],
  ["after is killed", { says: /"after"/, flags: ["--after", '["sh","-c","kill -9 $$"]'] }],
];

function script(path: string, real: string, target: string, fault: Fault | undefined): void {
  const suffers = fault ? `if ${fault.when ?? "true"}; then ${fault.does}; exit; fi\n` : "";
  const text = `#!/bin/bash\nTARGET='${target}'\nreal() { '${real}' "$@"; }\n${suffers}exec '${real}' "$@"\n`;
  writeFileSync(path, text, { mode: 0o755 });
}

async function pass(from: ZfsWorld, snapshot: string, to: ZfsWorld, target: string): Promise<void> {
  const sent = await from.exec(["zfs", "send", snapshot]);
  const received = await to.exec(["zfs", "recv", "-u", target], { input: sent.stdout });
  expect([sent.code, received.code], received.stderr).toEqual([0, 0]);
}

/** Programs of which one has the fault, and datasets of its own. */
async function scene(fault: Fault) {
  const { here, there, sshConfig } = worlds();
  const name = `case-${cases++}`;
  // Below a dataset of its own: to list what is beside it, zfs-fuse opens what others receive, which then cannot be taken back.
  const [source, target] = [`tank/${name}`, `backup/${name}/replica`];
  const bins = { here: join(here.folder, name), there: join(there.folder, name) };
  const of = (place: Fault["at"]) => (fault.at === place ? fault : undefined);
  for (const [world, bin, place] of [
    [here, bins.here, "here"],
    [there, bins.there, "there"],
  ] as const) {
    mkdirSync(bin);
    script(join(bin, "zfs"), join(world.binDir, "zfs"), target, of(`zfs ${place}`));
    script(join(bin, "zpool"), join(world.binDir, "zpool"), target, undefined);
    script(join(bin, "zstd"), "/usr/bin/zstd", target, of(`zstd ${place}`));
  }
  script(join(bins.here, "ssh"), "/usr/bin/ssh", target, of("ssh"));
  script(join(bins.there, "mbuffer"), "/usr/bin/mbuffer", target, of("mbuffer there"));
  // What a shell over there reads before it runs a command.
  const environment = join(bins.there, "environment");
  writeFileSync(environment, `PATH='${bins.there}':$PATH\n`);
  await here.zfs("create", source);
  await there.zfs("create", "-o", "mountpoint=none", `backup/${name}`);
  await fillDataset(here, source, { files: 4, bytes: 64 * 1024, seed: cases });
  if (fault.increment) {
    await here.zfs("snapshot", `${source}@zero`);
    await pass(here, `${source}@zero`, there, target);
    await fillDataset(here, source, { files: 4, bytes: 64 * 1024, seed: cases + 1_000 });
  }
  await here.zfs("snapshot", `${source}@one`);
  const words = ["replicate", source, `archiver:${target}`, "-F", sshConfig, "--name", name];
  const state = ["--state-dir", join(here.folder, "state")];
  const run = (programs: readonly string[], more: readonly string[] = [], path = "") =>
    runProgram([...words, ...state, ...programs, ...more], { env: { PATH: `${path}${process.env.PATH}` } });
  return {
    source,
    target,
    broken: () =>
      run(
        [
          "--zfs",
          join(bins.here, "zfs"),
          "--remote-zfs",
          join(bins.there, "zfs"),
          "--ssh",
          join(bins.here, "ssh"),
        ],
        [
          ...["--json", "--stall-timeout", "10s", "-o", `SetEnv=BASH_ENV="${environment}"`, "--compress"],
          ...[fault.at?.startsWith("zstd") ? "zstd" : "none", ...(fault.flags ?? [])],
        ],
        `${bins.here}:`,
      ),
    whole: () => run(["--zfs", join(here.binDir, "zfs"), "--remote-zfs", join(there.binDir, "zfs")]),
  };
}

async function arrived(target: string): Promise<readonly string[]> {
  const listed = await worlds().there.exec([
    "zfs",
    "list",
    "-H",
    "-t",
    "snapshot",
    "-o",
    "name",
    "-r",
    target,
  ]);
  return listed.code === 0 ? listed.stdout.toString().trim().split("\n").filter(Boolean) : [];
}

function isReceived(target: string): boolean {
  const { stdout } = spawnSync("ps", ["-eo", "args"], { encoding: "utf8" });
  const ends = new RegExp(`recv.*${target}('|$)`);
  return stdout.split("\n").some((line) => ends.test(line));
}

// One after the other: zfs-fuse 0.7.0 dies now and then of much that is mounted and unmounted at once.
describe("no success is reported, and who has failed is named, when", () => {
  for (const [name, fault] of FAULTS) {
    testWithZfs(
      name,
      async () => {
        const { here, there } = worlds();
        const { source, target, broken, whole } = await scene(fault);
        const { code, stdout, stderr } = await broken();
        const report = JSON.parse(stdout) as {
          status: string;
          errors: string[];
          datasets: { status: string; snapshots: string[]; error: string | null }[];
        };
        expect([code, report.status], stderr).toEqual([1, "failed"]);
        const words = [...report.errors, ...report.datasets.map(({ error }) => error ?? "")].join("\n");
        expect(words, stderr).toMatch(fault.says);

        // Whoever looks while a receive takes back what it has begun keeps zfs-fuse from doing so.
        await eventually("the receive to be over", () => !isReceived(target));
        // Nothing was harmed: what is there is all there, and what is told to be there is.
        const present = await arrived(target);
        if (fault.increment) expect(present).toContain(`${target}@zero`);
        for (const { snapshots } of report.datasets)
          for (const one of snapshots) expect(present, stderr).toContain(`${target}@${one}`);
        for (const snapshot of present)
          expect(await files(there, snapshot)).toEqual(
            await files(here, `${source}@${snapshot.split("@")[1]}`),
          );
        if (!fault.stream) return;
        // The next run, with nothing in its way, brings the rest.
        const again = await whole();
        expect(again.code, again.stderr).toBe(0);
        expect(await files(there, `${target}@one`)).toEqual(await files(here, `${source}@one`));
      },
      TIMEOUT_MS,
    );
  }
});
