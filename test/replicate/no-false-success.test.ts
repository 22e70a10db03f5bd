import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { runProgram } from "../harness/program.ts";
import { type SshFolder, sshFolder } from "../harness/ssh.ts";
import { type RealSshd, startSshd } from "../harness/sshd.ts";
import { files, fillDataset } from "../harness/zfs-files.ts";
import { testWithZfs } from "../harness/zfs-needs.ts";
import { startZfsWorld, type ZfsWorld } from "../harness/zfs-world.ts";

const TIMEOUT_MS = 120_000;

let here: ZfsWorld;
let there: ZfsWorld;
let folder: SshFolder;
let sshd: RealSshd;
let sshConfig: string;
let cases = 0;

beforeAll(async () => {
  [here, there, folder] = await Promise.all([startZfsWorld("here"), startZfsWorld("there"), sshFolder()]);
  const [host, client] = await Promise.all([folder.key("host"), folder.key("client")]);
  sshd = await startSshd(folder, host, client);
  sshConfig = await folder.config({
    archiver: {
      ...{ HostName: "127.0.0.1", Port: sshd.port, User: sshd.user, IdentityFile: client.path },
      HostKeyAlias: "archiver",
    },
  });
  await here.createPool("tank");
  await there.createPool("backup");
}, TIMEOUT_MS);
afterAll(async () => {
  await sshd?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
  await there?.[Symbol.asyncDispose]();
  await here?.[Symbol.asyncDispose]();
}, TIMEOUT_MS);

type Place = "zfs here" | "zfs there" | "ssh" | "zstd";

interface Fault {
  readonly at: Place;
  /** Shell: whether these arguments are to suffer. */
  readonly when: string;
  /** Shell; `real "$@"` does what it should. */
  readonly does: string;
}

const HALF = 40_000;
const KILLED = "kill -9 $$";
const CUT = `head -c ${HALF}`;
/** Eight bytes in the middle are others. */
const SPOILT = `{ head -c ${HALF}; head -c 8 >/dev/null; printf spoilt!!; cat; }`;

const sending = 'test "$1" = send';
const receiving = 'test "$1" = recv || test "$1" = receive';
const listing = 'test "$1" = get || test "$1" = list';
/** What is asked of the other side when something has arrived. */
const readingBack = `{ ${listing}; } && real list "\${TARGET}" >/dev/null 2>&1`;
const carrying = 'case "$*" in *recv*) true ;; *) false ;; esac';
const always = "true";

const FAULTS: readonly (readonly [string, Fault])[] = [
  ["zfs send says 1 after all of it", { at: "zfs here", when: sending, does: 'real "$@"; exit 1' }],
  ["zfs send sends nothing and says 0", { at: "zfs here", when: sending, does: "exit 0" }],
  [
    "zfs send is killed in the middle",
    { at: "zfs here", when: sending, does: `real "$@" | ${CUT}; ${KILLED}` },
  ],
  ["zfs send sends half and says 0", { at: "zfs here", when: sending, does: `real "$@" | ${CUT}; exit 0` }],
  ["zfs send sends other bytes", { at: "zfs here", when: sending, does: `real "$@" | ${SPOILT}; exit 0` }],
  ["zfs recv says 1 at once", { at: "zfs there", when: receiving, does: "exit 1" }],
  ["zfs recv says 1 when all was read", { at: "zfs there", when: receiving, does: "cat >/dev/null; exit 1" }],
  ["zfs recv says 0 and has received nothing", { at: "zfs there", when: receiving, does: "exit 0" }],
  [
    "zfs recv reads all, receives nothing, says 0",
    { at: "zfs there", when: receiving, does: "cat >/dev/null; exit 0" },
  ],
  ["zfs recv is killed", { at: "zfs there", when: receiving, does: `${CUT} >/dev/null; ${KILLED}` }],
  ["zfs recv gets half and says 0", { at: "zfs there", when: receiving, does: `${CUT} | real "$@"; exit 0` }],
  [
    "zfs recv gets other bytes and says 0",
    { at: "zfs there", when: receiving, does: `${SPOILT} | real "$@"; exit 0` },
  ],
  ["the list here says 1", { at: "zfs here", when: listing, does: 'real "$@"; exit 1' }],
  ["the list here is empty", { at: "zfs here", when: listing, does: "exit 0" }],
  ["the list here is killed", { at: "zfs here", when: listing, does: KILLED }],
  ["the list there says 1", { at: "zfs there", when: listing, does: 'real "$@"; exit 1' }],
  ["what has arrived is read back with 1", { at: "zfs there", when: readingBack, does: 'real "$@"; exit 1' }],
  ["what has arrived is read back empty", { at: "zfs there", when: readingBack, does: "exit 0" }],
  ["what has arrived is read back, and that is killed", { at: "zfs there", when: readingBack, does: KILLED }],
  ["ssh says 1 after all of it", { at: "ssh", when: carrying, does: "cat >/dev/null; exit 1" }],
  ["ssh says 0 and has carried nothing", { at: "ssh", when: carrying, does: "exit 0" }],
  ["ssh is killed in the middle", { at: "ssh", when: carrying, does: `${CUT} | real "$@"; ${KILLED}` }],
  ["ssh carries half and says 0", { at: "ssh", when: carrying, does: `${CUT} | real "$@"; exit 0` }],
  [
    "ssh carries other bytes and says 0",
    { at: "ssh", when: carrying, does: `${SPOILT} | real "$@"; exit 0` },
  ],
  ["zstd says 1 after all of it", { at: "zstd", when: always, does: 'real "$@"; exit 1' }],
  ["zstd says 0 and has compressed nothing", { at: "zstd", when: always, does: "exit 0" }],
  ["zstd is killed in the middle", { at: "zstd", when: always, does: `real "$@" | ${CUT}; ${KILLED}` }],
  ["zstd writes half and says 0", { at: "zstd", when: always, does: `real "$@" | ${CUT}; exit 0` }],
  ["zstd writes other bytes", { at: "zstd", when: always, does: `real "$@" | ${SPOILT}; exit 0` }],
];

function script(path: string, real: string, target: string, fault: Fault | undefined): void {
  const suffers = fault ? `if ${fault.when}; then ${fault.does}; exit; fi\n` : "";
  const text = `#!/bin/bash\nTARGET='${target}'\nreal() { '${real}' "$@"; }\n${suffers}exec '${real}' "$@"\n`;
  writeFileSync(path, text, { mode: 0o755 });
}

/** Programs of which one has the fault, and datasets of its own. */
async function scene(fault: Fault) {
  const name = `case-${cases++}`;
  const [source, target] = [`tank/${name}`, `backup/${name}`];
  const bins = { here: join(here.folder, name), there: join(there.folder, name) };
  const of = (place: Place) => (fault.at === place ? fault : undefined);
  for (const [world, bin, place] of [
    [here, bins.here, "zfs here"],
    [there, bins.there, "zfs there"],
  ] as const) {
    mkdirSync(bin);
    script(join(bin, "zfs"), join(world.binDir, "zfs"), target, of(place));
    script(join(bin, "zpool"), join(world.binDir, "zpool"), target, undefined);
  }
  script(join(bins.here, "ssh"), "/usr/bin/ssh", target, of("ssh"));
  script(join(bins.here, "zstd"), "/usr/bin/zstd", target, of("zstd"));
  await here.zfs("create", source);
  await fillDataset(here, source, { files: 4, bytes: 64 * 1024, seed: cases });
  await here.zfs("snapshot", `${source}@one`);
  const run = (...more: string[]) =>
    runProgram(
      [
        ...["replicate", source, `archiver:${target}`, "-F", sshConfig, "--json", "--name", name],
        ...["--state-dir", join(here.folder, "state"), "--stall-timeout", "10s", "--compress"],
        ...[fault.at === "zstd" ? "zstd" : "none", ...more],
      ],
      { env: { PATH: `${bins.here}:${process.env.PATH}` } },
    );
  return {
    source,
    target,
    broken: () =>
      run(
        ...["--zfs", join(bins.here, "zfs"), "--remote-zfs", join(bins.there, "zfs")],
        ...["--ssh", join(bins.here, "ssh")],
      ),
    whole: () =>
      runProgram(
        [
          ...["replicate", source, `archiver:${target}`, "-F", sshConfig, "--name", name],
          ...["--state-dir", join(here.folder, "state")],
          ...["--zfs", join(here.binDir, "zfs"), "--remote-zfs", join(there.binDir, "zfs")],
        ],
        {},
      ),
  };
}

async function arrived(target: string): Promise<readonly string[]> {
  const listed = await there.exec(["zfs", "list", "-H", "-t", "snapshot", "-o", "name", "-r", target]);
  return listed.code === 0 ? listed.stdout.toString().trim().split("\n").filter(Boolean) : [];
}

describe.concurrent("no success is reported when", () => {
  for (const [name, fault] of FAULTS) {
    testWithZfs(
      name,
      async () => {
        const { source, target, broken, whole } = await scene(fault);
        const { code, stdout, stderr } = await broken();
        const report = JSON.parse(stdout) as {
          status: string;
          errors: string[];
          datasets: { status: string; snapshots: string[]; error: string | null }[];
        };
        expect([code, report.status], stderr).not.toContain(0);
        expect(report.status, stderr).not.toBe("ok");
        const words = [...report.errors, ...report.datasets.map(({ error }) => error ?? "")].join("\n");
        expect(words, stderr).toMatch(/zfs|ssh|zstd|archiver|listing/);
        const present = await arrived(target);
        for (const { snapshots } of report.datasets)
          for (const one of snapshots) expect(present, stderr).toContain(`${target}@${one}`);
        // Nothing was harmed: what is there is all there, and the next run, with nothing in its way, brings the rest.
        for (const snapshot of present)
          expect(await files(there, snapshot)).toEqual(await files(here, `${source}@one`));
        const again = await whole();
        expect(again.code, again.stderr).toBe(0);
        expect(await files(there, `${target}@one`)).toEqual(await files(here, `${source}@one`));
      },
      TIMEOUT_MS,
    );
  }
});
