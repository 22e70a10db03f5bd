import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { dryRun } from "../../../src/replicate/run/dry-run.ts";
import { systemClock } from "../../../src/util/clock.ts";
import { tempDir } from "../../harness/temp.ts";
import { testWithZfs } from "../../harness/zfs-needs.ts";
import { startZfsWorld, type ZfsWorld } from "../../harness/zfs-world.ts";
import { change, dataset, jobOf } from "./world.ts";

/** A folder with a `zstd` that only has to be found. */
function fakePrograms(): string {
  const dir = tempDir();
  writeFileSync(join(dir, "zstd"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
  return dir;
}

describe("a dry run", () => {
  let source: ZfsWorld;
  beforeAll(async () => {
    source = await startZfsWorld("dry");
    await source.createPool("tank");
  }, 60_000);
  afterAll(() => source[Symbol.asyncDispose]());

  testWithZfs(
    "has the exact commands, by what is remembered of a machine that is not even asked",
    async () => {
      await dataset(source, "tank/dry run", 2, 16 * 1024);
      const [, second] = await source.snapshots("tank/dry run");
      await change(source, "tank/dry run", "3", 3, 16 * 1024);
      const before = await source.zfs("get", "-Hp", "-r", "userrefs", "tank");
      const options = {
        job: jobOf(
          { source, sshConfig: "/nowhere/ssh config" },
          { source: "tank/dry run", destination: "backup/dry", target: "nobody.invalid" },
        ),
        allowed: { rollback: false, destroyTarget: false },
        clock: systemClock,
        signal: new AbortController().signal,
        env: process.env,
        remembered: undefined,
      };
      const zfs = `'${source.binDir}/zfs'`;
      const full = (await dryRun(options)).lines.join("\n");
      expect(full).toContain("full send of everything");
      expect(full).toContain(`${zfs} hold lazyssh:safe 'tank/dry run@1'`);
      expect(full).toContain(`${zfs} send 'tank/dry run@1' | `);
      expect(full).toContain(`${zfs} send -I 'tank/dry run@1' 'tank/dry run@3' | `);
      expect(full).toMatch(/ssh -F '\/nowhere\/ssh config' .* -- nobody\.invalid .*recv.*backup\/dry/);

      const newest = new Map([
        ["backup/dry", { guid: second?.guid ?? "", name: "2", creation: Math.floor(Date.now() / 1000) }],
      ]);
      const remembered = { at: Date.now() - 60_000, newest, received: new Map(), scrubbedAt: undefined };
      const later = (await dryRun({ ...options, remembered })).lines.join("\n");
      expect(later).toContain("1m");
      expect(later).toContain(`${zfs} send -i 'tank/dry run@2' 'tank/dry run@3' | `);
      expect(later).not.toContain("@1'");
      expect(await source.zfs("get", "-Hp", "-r", "userrefs", "tank")).toBe(before);

      const pull = await dryRun({ ...options, job: { ...options.job, direction: "pull" } });
      expect(pull.lines.join()).toContain("is not started for this");
    },
    60_000,
  );

  testWithZfs(
    "compresses on the way what can be compressed: the source has tried, where its compression is on",
    async () => {
      const options = {
        allowed: { rollback: false, destroyTarget: false },
        clock: systemClock,
        signal: new AbortController().signal,
        env: { ...process.env, PATH: `${fakePrograms()}:${process.env.PATH}` },
        remembered: undefined,
      };
      const programs = async (name: string, compression: string, bytes: (size: number) => Buffer) => {
        await source.zfs("create", "-o", `compression=${compression}`, `tank/${name}`);
        writeFileSync(join(await source.mount(`tank/${name}`), "file"), bytes(2e6));
        await source.zfs("snapshot", `tank/${name}@1`);
        const job = jobOf(
          { source, sshConfig: "/nowhere" },
          { source: `tank/${name}`, destination: `backup/${name}`, target: "nobody.invalid" },
        );
        return async (compress: "auto" | "zstd") => {
          const { lines } = await dryRun({ ...options, job: { ...job, send: { ...job.send, compress } } });
          return lines.some((line) => line.includes("zstd -q -d"));
        };
      };
      const noise = (size: number) => randomBytes(size);
      const text = (size: number) => Buffer.alloc(size, "the same again and again\n");
      const packed = await programs("packed", "on", noise);
      expect([await packed("auto"), await packed("zstd")]).toEqual([false, true]);
      expect(await (await programs("text", "on", text))("auto")).toBe(true);
      expect(await (await programs("untried", "off", noise))("auto")).toBe(true);
    },
    60_000,
  );
});
