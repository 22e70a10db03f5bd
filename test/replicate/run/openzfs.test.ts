import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ReplicateJob } from "../../../src/config/replicate.ts";
import { dryRun } from "../../../src/replicate/run/dry-run.ts";
import { stayAlive, systemClock } from "../../../src/util/clock.ts";
import { type Client, type Scene, startScene } from "../../harness/scene.ts";
import { type SimulatedZfs, simulatedZfs } from "../../harness/simulated-zfs.ts";
import { tempDir } from "../../harness/temp.ts";
import { jobOf, runAlone } from "./world.ts";

/**
 * What OpenZFS has and zfs-fuse has not, end to end through the jump, with a stand-in that takes what the real one's usage text has. The same is
 * done with a real one in guest.test.ts, where a guest is at hand.
 */
const TIMEOUT_MS = 60_000;

let scene: Scene;
let keeper: Client;
let awake: Disposable;
beforeAll(async () => {
  awake = stayAlive();
  scene = await startScene();
  keeper = await scene.session();
}, TIMEOUT_MS);
afterAll(async () => {
  await keeper[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
  awake[Symbol.dispose]();
}, TIMEOUT_MS);

const text = (lines: number) => Buffer.from("the same again and again\n".repeat(lines));

function sides(test: Parameters<typeof simulatedZfs>[0]) {
  const source = simulatedZfs(test);
  const target = simulatedZfs(test);
  source.zfs("create", "tank");
  target.zfs("create", "backup");
  const run = (more: Partial<ReplicateJob> = {}) => {
    const remoteZfs = join(target.binDir, "zfs");
    return runAlone(jobOf({ source, sshConfig: scene.sshConfig }, { remoteZfs, ...more }));
  };
  return { source, target, run };
}

function same(source: SimulatedZfs, target: SimulatedZfs): void {
  for (const { name, guid } of source.dataset("tank/safe").snapshots) {
    const there = target.dataset("backup/safe").snapshots.find((one) => one.guid === guid);
    expect(target.contents(`backup/safe@${there?.name}`)).toEqual(source.contents(`tank/safe@${name}`));
  }
}

/** An `ssh` that carries so many bytes of the first stream, or of each, and is gone. */
function cutting(test: Parameters<typeof simulatedZfs>[0], bytes: number, which: "first" | "each"): string {
  const dir = tempDir(test);
  const program = join(dir, "ssh");
  const script = `#!/bin/sh
case "$*" in *recv*) [ ${which} = first ] && [ -e '${dir}/cut' ] || { : > '${dir}/cut'; head -c ${bytes} | ssh "$@"; kill -9 $$; } ;; esac
exec ssh "$@"
`;
  writeFileSync(program, script, { mode: 0o755 });
  return program;
}

describe.concurrent("with the flags of OpenZFS", () => {
  it(
    "blocks travel as they are on disk, what arrives cannot be mounted, and a bookmark is a base",
    async (test) => {
      const { source, target, run } = sides(test);
      source.zfs("create", "tank/safe");
      source.change("tank/safe", "1", text(10_000));
      source.change("tank/safe", "between", text(15_000));
      source.change("tank/safe", "2", text(20_000));
      const first = await run();
      expect(first.outcome).toMatchObject({ status: "ok", datasets: [{ snapshots: ["1", "between", "2"] }] });
      expect(source.calls("send").filter(([flag]) => flag !== "-n")).toEqual([
        ["-L", "-e", "-c", "tank/safe@1"],
        ["-L", "-e", "-c", "-I", "tank/safe@1", "tank/safe@2"],
      ]);
      const safe = ["-o", "canmount=noauto", "-o", "readonly=on", "-x", "mountpoint"];
      expect(target.calls("recv")).toEqual([
        ["-u", "-s", ...safe, "backup/safe"],
        ["-u", "-s", "backup/safe"],
      ]);
      expect(target.dataset("backup/safe")).toMatchObject({
        properties: { canmount: "noauto", readonly: "on" },
        excluded: ["mountpoint"],
      });
      // What travels as it is on disk is not asked whether it could be compressed on its way.
      expect(source.calls("get").join()).not.toContain("compressratio");
      // Smaller than what is in it.
      expect(first.outcome.bytes).toBeLessThan(source.contents("tank/safe@1").length / 10);
      same(source, target);

      const second = source.dataset("tank/safe").snapshots.at(-1);
      expect(source.dataset("tank/safe").bookmarks).toMatchObject([{ name: `lazyssh:safe-${second?.guid}` }]);
      for (const name of ["1", "between", "2"]) {
        if (source.dataset("tank/safe").snapshots.find((one) => one.name === name)?.holds.length)
          source.zfs("release", "lazyssh:safe", `tank/safe@${name}`);
        source.zfs("destroy", `tank/safe@${name}`);
      }
      source.change("tank/safe", "3", text(30_000));
      expect((await run()).outcome).toMatchObject({ status: "ok", datasets: [{ snapshots: ["3"] }] });
      expect(source.calls("send").at(-1)).toEqual([
        ...["-L", "-e", "-c", "-i", `tank/safe#lazyssh:safe-${second?.guid}`, "tank/safe@3"],
      ]);
      same(source, target);
    },
    TIMEOUT_MS,
  );

  it(
    "what was cut goes on where it was, and is not sent twice",
    async (test) => {
      const { source, target, run } = sides(test);
      source.zfs("create", "tank/safe");
      const contents = randomBytes(3_000_000);
      source.change("tank/safe", "1", contents);
      const { ssh } = jobOf({ source, sshConfig: scene.sshConfig }, {});
      const { outcome, said } = await run({ ssh: { ...ssh, program: cutting(test, 2_000_000, "first") } });
      expect(outcome, said.join("\n")).toMatchObject({ status: "ok", datasets: [{ snapshots: ["1"] }] });
      const resumed = source.calls("send").filter(([flag]) => flag === "-t");
      expect(resumed).toHaveLength(1);
      expect(target.dataset("backup/safe").partial).toBeUndefined();
      const [, token = ""] = resumed[0] ?? [];
      expect(
        JSON.parse(Buffer.from(token.split("-")[2] ?? "", "base64url").toString()).bytes,
      ).toBeGreaterThan(1e6);
      expect(outcome.bytes).toBeLessThan(contents.length * 1.5);
      same(source, target);
    },
    TIMEOUT_MS,
  );

  it(
    "what was cut is given up when its snapshot is not there any more",
    async (test) => {
      const { source, target, run } = sides(test);
      source.zfs("create", "tank/safe");
      source.change("tank/safe", "1", randomBytes(3_000_000));
      const { ssh } = jobOf({ source, sshConfig: scene.sshConfig }, {});
      const cut = await run({ ssh: { ...ssh, program: cutting(test, 200_000, "each") } });
      expect(cut.outcome.status).toBe("failed");
      expect(target.dataset("backup/safe").partial?.bytes).toBeGreaterThan(0);
      expect(source.calls("send").some(([flag]) => flag === "-t")).toBe(true);
      source.zfs("release", "lazyssh:safe", "tank/safe@1");
      source.zfs("destroy", "tank/safe@1");
      source.change("tank/safe", "2", text(100));
      expect((await run()).outcome).toMatchObject({ status: "ok", datasets: [{ snapshots: ["2"] }] });
      expect(target.calls("recv")).toContainEqual(["-A", "backup/safe"]);
      same(source, target);
    },
    TIMEOUT_MS,
  );

  it(
    "an encrypted dataset is sent as it is, to a target that never has its key",
    async (test) => {
      const { source, target, run } = sides(test);
      source.zfs("create", "-o", "encryption=on", "tank/safe");
      source.change("tank/safe", "1", text(1_000));
      expect((await run()).outcome).toMatchObject({ status: "ok" });
      source.change("tank/safe", "2", text(2_000));
      expect((await run()).outcome).toMatchObject({ status: "ok", datasets: [{ snapshots: ["2"] }] });
      expect(source.calls("send").filter(([flag]) => flag !== "-n")).toEqual([
        ["-w", "tank/safe@1"],
        ["-w", "-i", "tank/safe@1", "tank/safe@2"],
      ]);
      expect(target.dataset("backup/safe")).toMatchObject({ encryption: "aes-256-gcm", keyLoaded: false });
      same(source, target);
    },
    TIMEOUT_MS,
  );

  it("a dry run has the estimate of what is sent then", async (test) => {
    const { source, run } = sides(test);
    source.zfs("create", "tank/safe");
    source.change("tank/safe", "1", randomBytes(100_000));
    source.change("tank/safe", "2", randomBytes(200_000));
    const job = jobOf({ source, sshConfig: scene.sshConfig }, {});
    const common = { job, clock: systemClock, env: process.env, signal: new AbortController().signal };
    const { bytes = 0 } = await dryRun({
      ...common,
      allowed: { rollback: false, destroyTarget: false },
      remembered: undefined,
    });
    const { outcome } = await run();
    expect(bytes).toBeGreaterThan(300_000);
    expect(outcome.bytes / bytes).toBeCloseTo(1, 1);
  }, 120_000);
});
