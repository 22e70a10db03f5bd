import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { describe, expect, type TestContext } from "vitest";
import { startArchive } from "../harness/archive.ts";
import { files, fillDataset } from "../harness/zfs-files.ts";
import { testWithZfs } from "../harness/zfs-needs.ts";
import { startZfsWorld, type ZfsWorld } from "../harness/zfs-world.ts";

async function world(test: TestContext, name: string): Promise<ZfsWorld> {
  const started = await startZfsWorld(name);
  test.onTestFinished(() => started[Symbol.asyncDispose]());
  return started;
}

/** `send | receive`, with nothing between them. */
async function piped(send: readonly string[], receive: readonly string[]): Promise<(number | null)[]> {
  const [from, to] = [send, receive].map(([command = "", ...args]) =>
    spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] }),
  );
  if (!from || !to) throw new Error("nothing to run");
  from.stdin.end();
  to.stdout.resume();
  const ends = [from, to].map(async (child) => (await once(child, "close"))[0] as number | null);
  await pipeline(from.stdout, to.stdin);
  return Promise.all(ends);
}

describe.concurrent("worlds of pools", () => {
  testWithZfs(
    "do not see each other, and are gone with all they had when they end",
    async (test) => {
      const [source, target] = await Promise.all([world(test, "source"), world(test, "target")]);
      await Promise.all([source.createPool("same"), target.createPool("same")]);
      await source.zfs("create", "same/only here");
      expect(await source.zfs("list", "-H", "-o", "name")).toBe("same\nsame/only here\n");
      expect(await target.zfs("list", "-H", "-o", "name")).toBe("same\n");
      expect(existsSync("/same")).toBe(false);

      await source[Symbol.asyncDispose]();
      expect(existsSync(source.folder)).toBe(false);
      expect(existsSync(`/proc/${source.pid}`)).toBe(false);
      expect(await target.zfs("list", "-H", "-o", "name")).toBe("same\n");
    },
    60_000,
  );

  testWithZfs(
    "pass snapshots on through plain pipes, GUIDs and files and all",
    async (test) => {
      const [source, target] = await Promise.all([world(test, "from"), world(test, "to")]);
      await Promise.all([source.createPool("tank"), target.createPool("backup")]);
      const dataset = "tank/odd na:me";
      await source.zfs("create", dataset);
      await fillDataset(source, dataset);
      await source.zfs("snapshot", `${dataset}@1`);
      await fillDataset(source, dataset, { files: 15, seed: 2 });
      await source.zfs("snapshot", `${dataset}@2`);
      const receive = [`${target.binDir}/zfs`, "recv", "-u", "backup/copy"];

      expect(await piped([`${source.binDir}/zfs`, "send", `${dataset}@1`], receive)).toEqual([0, 0]);
      const more = source.wrap(["zfs", "send", "-i", `${dataset}@1`, `${dataset}@2`]);
      expect(await piped(more, receive)).toEqual([0, 0]);

      expect(await target.snapshots("backup/copy")).toEqual(await source.snapshots(dataset));
      await expect(target.mount("backup/copy")).rejects.toThrow("is not mounted");
      const [first, second] = [await files(source, `${dataset}@1`), await files(source, `${dataset}@2`)];
      expect(Object.keys(second).length).toBeGreaterThan(Object.keys(first).length);
      expect(second).toEqual(await files(source, dataset));
      expect(await files(target, "backup/copy@1")).toEqual(first);
      expect(await files(target, "backup/copy@2")).toEqual(second);
      expect(await target.zfs("list", "-H", "-o", "name")).toBe("backup\nbackup/copy\n");
    },
    60_000,
  );

  testWithZfs(
    "can have each other's pools, exported or left behind by one that lost its power",
    async (test) => {
      const [first, second] = await Promise.all([world(test, "first"), world(test, "second")]);
      await first.createPool("kept", { folder: first.folder });
      await fillDataset(first, "kept", { files: 3 });
      const written = await files(first, "kept");
      await first.zpool("export", "kept");
      await second.zpool("import", "-d", first.folder, "kept");
      expect(await files(second, "kept")).toEqual(written);
      await second.zfs("snapshot", "kept@before");
      await second.kill();

      await first.zpool("import", "-d", first.folder, "kept");
      expect(await files(first, "kept@before")).toEqual(written);
    },
    60_000,
  );

  testWithZfs(
    "are there behind the jump: the pool outlives its machine",
    async () => {
      await using archive = await startArchive();
      expect(await archive.over("zpool", "list", "-H", "-o", "name")).toBe("backup\n");
      const session = await archive.session();
      await archive.there.zfs("create", "backup/safe");
      await fillDataset(archive.there, "backup/safe", { files: 2 });
      const written = await files(archive.there, "backup/safe");
      await archive.there.zfs("snapshot", "backup/safe@1");
      const guids = await archive.there.snapshots("backup/safe");
      await session[Symbol.asyncDispose]();
      await archive.quiet();

      const relay = await archive.relay();
      const again = archive.start("ssh", [
        "-F",
        relay.sshConfig,
        "archiver",
        "zfs list -H -o name -t snapshot; cat",
      ]);
      again.process.stdout.once("data", () => relay.cut());
      expect(await again.ended).toMatchObject({ code: 255 });
      expect((await again.ended).stdout.toString()).toBe("backup/safe@1\n");
      const last = await archive.session();
      expect(await archive.there.snapshots("backup/safe")).toEqual(guids);
      expect(await files(archive.there, "backup/safe@1")).toEqual(written);
      await last[Symbol.asyncDispose]();
      expect(archive.calls("RunInstances")).toBeGreaterThan(1);
    },
    60_000,
  );
});
