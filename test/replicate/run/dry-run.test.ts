import { afterAll, beforeAll, describe, expect } from "vitest";
import { dryRun } from "../../../src/replicate/run/dry-run.ts";
import { systemClock } from "../../../src/util/clock.ts";
import { testWithZfs } from "../../harness/zfs-needs.ts";
import { startZfsWorld, type ZfsWorld } from "../../harness/zfs-world.ts";
import { change, dataset, jobOf } from "./world.ts";

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
});
