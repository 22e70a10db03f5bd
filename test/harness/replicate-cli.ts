import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import type { RunReport } from "../../src/replicate/report/json.ts";
import { contents, dataset } from "../replicate/run/world.ts";
import { type Archive, startArchive } from "./archive.ts";
import { type Program, runProgram, startProgram } from "./program.ts";
import type { Zfs } from "./zfs.ts";
import { startZfsWorld, type ZfsWorld } from "./zfs-world.ts";

const START_MS = 120_000;
/** Of a dataset's files. */
export const SMALL = 16 * 1024;

/** From where to where, and what is not as usual. */
export interface Ways {
  readonly source: string;
  readonly target: string;
  /** Another way to the jump host. */
  readonly sshConfig?: string;
  /** Another `zfs` here. */
  readonly zfs?: string;
}

/** `lazyssh replicate` as a person would run it: the built program, the user's ssh, the jump host, a machine that boots. */
export interface Cli {
  readonly archive: Archive;
  readonly here: ZfsWorld;
  /** What the archive's machine has. */
  readonly there: Zfs;
  start(ways: Ways, ...more: string[]): Program;
  run(ways: Ways, ...more: string[]): Promise<{ code: number | null; stderr: string; report: RunReport }>;
  runOk(ways: Ways, ...more: string[]): Promise<RunReport>;
  /** It ends with 4, says why on standard error and in the report, and leaves the target as it is, file by file. */
  runRefused(ways: Ways, says: readonly RegExp[], ...more: string[]): Promise<void>;
  /** All of the history is the same on both sides, file by file. */
  expectSame(ways: Ways): Promise<void>;
  /** Nothing can come to lie under it, now or at the next import. */
  expectProtected(target: string): Promise<void>;
  /** A source `tank/NAME` with snapshots "1" …, and its replica `backup/NAME`. */
  replica(name: string, snapshots?: number): Promise<Ways>;
  /** What keeps the base of the next run does not keep it from somebody who means it. `job`: its source, where that is another. */
  lose(source: string, snapshot: string, job?: string): Promise<void>;
}

/** For all tests of a file; what it returns is there once they run. */
export function useCli(): () => Cli {
  let archive: Archive | undefined;
  let here: ZfsWorld | undefined;
  beforeAll(async () => {
    [archive, here] = await Promise.all([startArchive(), startZfsWorld("here")]);
    await here.createPool("tank");
  }, START_MS);
  afterAll(async () => {
    await archive?.[Symbol.asyncDispose]();
    await here?.[Symbol.asyncDispose]();
  }, START_MS);
  return () => {
    if (!archive || !here) throw new Error("the worlds have not started");
    return cliOf(archive, here);
  };
}

const nameOf = (source: string) => source.replaceAll(/[^\w]+/g, "-");

function cliOf(archive: Archive, here: ZfsWorld): Cli {
  const { there } = archive;
  const words = ({ source, target, sshConfig, zfs }: Ways, more: readonly string[]) => [
    ...["replicate", source, `archiver:${target}`, "-F", sshConfig ?? archive.sshConfig, "--json"],
    ...["--zfs", zfs ?? join(here.binDir, "zfs"), "--state-dir", join(here.folder, "state")],
    ...["--name", nameOf(source), ...more],
  ];
  const run: Cli["run"] = async (ways, ...more) => {
    const { code, stdout, stderr } = await runProgram(words(ways, more));
    return { code, stderr, report: JSON.parse(stdout) as RunReport };
  };
  const runOk: Cli["runOk"] = async (ways, ...more) => {
    const { code, stderr, report } = await run(ways, ...more);
    expect([code, report.status, report.errors], stderr).toEqual([0, "ok", []]);
    return report;
  };
  return {
    ...{ archive, here, there },
    run,
    runOk,
    start: (ways, ...more) => startProgram(words(ways, more)),
    async runRefused(ways, says, ...more) {
      const before = await contents(there, ways.target);
      const { code, stderr, report } = await run(ways, ...more);
      expect([code, report.status, report.exit_code], stderr).toEqual([4, "refused", 4]);
      for (const words of says) {
        expect(report.datasets[0]?.error).toMatch(words);
        expect(stderr).toMatch(words);
      }
      expect(await contents(there, ways.target)).toEqual(before);
    },
    async expectSame({ source, target }) {
      expect(await contents(there, target)).toEqual(await contents(here, source));
    },
    async expectProtected(target) {
      const asked = ["canmount", "readonly", "mounted"];
      const values = await Promise.all(asked.map((property) => there.get(property, target)));
      expect(values).toEqual(["noauto", "on", "no"]);
    },
    async replica(name, snapshots = 1) {
      const ways = { source: `tank/${name}`, target: `backup/${name}` };
      await dataset(here, ways.source, snapshots, SMALL);
      await runOk(ways);
      return ways;
    },
    async lose(source, snapshot, job = source) {
      await here.zfs("release", `lazyssh:${nameOf(job)}`, `${source}@${snapshot}`);
      await here.zfs("destroy", `${source}@${snapshot}`);
    },
  };
}
