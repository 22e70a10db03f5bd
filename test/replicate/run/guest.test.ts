import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { guestTarget, testWithGuest, unplug } from "../../harness/guest.ts";
import { startJumpHost } from "../../harness/jump-host.ts";
import { startRelay } from "../../harness/relay.ts";
import { ssh } from "../../harness/ssh.ts";
import { startZfsWorld } from "../../harness/zfs-world.ts";
import { change, dataset, jobOf, runAlone } from "./world.ts";

/** Software emulation on a busy machine. */
const LIMIT_MS = 240_000;

testWithGuest(
  "a run uses what OpenZFS has on either side: properties at the receive, bookmarks, holds that can be told, estimates",
  async () => {
    let target = "";
    await using source = await startZfsWorld("source");
    await source.createPool("tank");
    await using jump = await startJumpHost({
      prepare: async (folder) => {
        const key = await folder.key("root");
        target = await guestTarget({ name: "guest", folder: folder.path, key, more: 'linger = "1m"' });
      },
      get more() {
        return target;
      },
    });
    const { folder, clientKey, port, program, stateDir } = jump;
    const sshConfig = await folder.config({
      jump: { HostName: "127.0.0.1", Port: port, User: "jump", IdentityFile: clientKey.path },
      guest: {
        ProxyJump: "jump",
        User: "root",
        IdentityFile: join(folder.path, "root"),
        StrictHostKeyChecking: "accept-new",
        ConnectTimeout: 120,
      },
    });
    const on = async (line: string): Promise<string> => {
      const { code, stdout, stderr } = await ssh(["-F", sshConfig, "guest", line], {
        deadlineMs: LIMIT_MS / 2,
      });
      expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
      return stdout.toString().trim();
    };
    const before =
      "until [ -e /run/zfs-ready ]; do sleep 0.1; done; zpool import -N backup || zpool create -O mountpoint=none backup /dev/vdb";
    const job = jobOf(
      { source, sshConfig },
      {
        ...{ target: "guest", source: "tank/safe", destination: "backup/safe" },
        ...{ before: ["sh", "-c", before], after: ["zpool", "export", "backup"] },
        ...{ bootTimeoutMs: 120_000, timeoutMs: LIMIT_MS, scrubEveryMs: 86_400_000 },
      },
    );
    try {
      await dataset(source, "tank/safe", 3);
      const first = await runAlone(job);
      expect(first.outcome).toMatchObject({
        ...{ status: "ok", errors: [], warnings: [] },
        datasets: [{ status: "ok", snapshots: ["1", "2", "3"] }],
      });
      await change(source, "tank/safe", "4", 4);
      const second = await runAlone(job);
      expect(second.outcome).toMatchObject({
        status: "ok",
        datasets: [{ base: "tank/safe@3", snapshots: ["4"] }],
      });

      await on("zpool import -N backup");
      expect(await on("zfs get -Ho property,value,source canmount,readonly,mountpoint backup/safe")).toBe(
        "canmount\tnoauto\tlocal\nreadonly\ton\tlocal\nmountpoint\tnone\tinherited from backup",
      );
      expect(await on("zfs get -Hpo value guid backup/safe@4")).toBe(await source.get("guid", "tank/safe@4"));

      // What had arrived when the link was cut is given up, since zfs-fuse cannot go on with a stream.
      await change(source, "tank/safe", "5", 5, 3 * 1024 * 1024);
      await using relay = await startRelay(port);
      const text = await readFile(sshConfig, "utf8");
      await writeFile(
        `${sshConfig}-relay`,
        text.replace(`Port ${port}`, `Port ${relay.port}\n  HostKeyAlias [127.0.0.1]:${port}`),
      );
      const said: string[] = [];
      const cut = await runAlone(
        { ...job, before: undefined, after: undefined, ssh: { ...job.ssh, config: `${sshConfig}-relay` } },
        {
          say: (line) => {
            said.push(line);
            if (line.includes("new since @4") && relay.passed.up < 1_000_000) relay.cutAfter(1_500_000);
          },
        },
      );
      expect(cut.outcome).toMatchObject({ status: "ok", errors: [], datasets: [{ snapshots: ["5"] }] });
      expect(said.join("\n")).toMatch(/trying again[\s\S]*an interrupted receive is given up/);
      expect(await on("zfs get -Hpo value guid backup/safe@5")).toBe(await source.get("guid", "tank/safe@5"));

      // The other way round, where the source can do more. What is older than version 5 can be received by all.
      const more =
        "zfs create -o version=4 -o mountpoint=/made backup/made; for n in 1 2 3; do echo $n >/made/$n; zfs snapshot backup/made@$n; done";
      await on(more);
      const pull = {
        ...job,
        ...({
          direction: "pull",
          source: "backup/made",
          destination: "tank/made",
          scrubEveryMs: undefined,
        } as const),
        ...{ before: undefined, after: undefined },
      };
      const pulled = await runAlone(pull);
      expect(pulled.outcome).toMatchObject({
        ...{ status: "ok", errors: [], warnings: [] },
        datasets: [{ status: "ok", snapshots: ["1", "2", "3"] }],
      });
      const guid = await on("zfs get -Hpo value guid backup/made@3");
      expect(await on("zfs holds -H backup/made@1 backup/made@2 backup/made@3 | cut -f1,2")).toBe(
        "backup/made@3\tlazyssh:safe",
      );
      expect(await on("zfs list -Ht bookmark -o name")).toBe(`backup/made#lazyssh:safe-${guid}`);
      // Even without the snapshot it goes on.
      await on(
        "zfs release lazyssh:safe backup/made@3; zfs destroy backup/made@3; zfs snapshot backup/made@4",
      );
      const next = await runAlone(pull);
      expect(next.outcome).toMatchObject({
        ...{ status: "ok", warnings: [] },
        datasets: [{ base: `backup/made#lazyssh:safe-${guid}`, snapshots: ["4"] }],
      });
      expect(await on("zfs list -Ht bookmark -o name")).toBe(
        `backup/made#lazyssh:safe-${await on("zfs get -Hpo value guid backup/made@4")}`,
      );
    } finally {
      program.kill("SIGKILL");
      await program.ended;
      unplug(stateDir);
    }
  },
  LIMIT_MS,
);
