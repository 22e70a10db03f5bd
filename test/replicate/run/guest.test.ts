import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { dryRun } from "../../../src/replicate/run/dry-run.ts";
import { systemClock } from "../../../src/util/clock.ts";
import { testWithGuest } from "../../harness/guest.ts";
import { runProgram } from "../../harness/program.ts";
import { eventually } from "../../harness/world.ts";
import { startZfsWorld } from "../../harness/zfs-world.ts";
import { recorded } from "../zfs/recorded.ts";
import { LIMIT_MS, POOL, POOLS, useGuest } from "./guest-world.ts";
import { change, dataset, jobOf, runAlone } from "./world.ts";

const guest = useGuest();

testWithGuest(
  "a run uses what OpenZFS has on either side: properties at the receive, bookmarks, holds that can be told, estimates",
  async () => {
    const { on, relay, relayConfig, sshConfig } = guest();
    await using source = await startZfsWorld("source");
    await source.createPool("tank");
    const job = jobOf(
      { source, sshConfig },
      {
        ...{ target: "guest", source: "tank/safe", destination: "backup/safe" },
        ...{ before: ["sh", "-c", POOL], after: ["zpool", "export", "backup"] },
        ...{ bootTimeoutMs: 120_000, timeoutMs: LIMIT_MS / 2, scrubEveryMs: 86_400_000 },
      },
    );
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
    const said: string[] = [];
    const cut = await runAlone(
      { ...job, before: undefined, after: undefined, ssh: { ...job.ssh, config: relayConfig } },
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
    await on("zfs release lazyssh:safe backup/made@3; zfs destroy backup/made@3; zfs snapshot backup/made@4");
    const next = await runAlone(pull);
    expect(next.outcome).toMatchObject({
      ...{ status: "ok", warnings: [] },
      datasets: [{ base: `backup/made#lazyssh:safe-${guid}`, snapshots: ["4"] }],
    });
    expect(await on("zfs list -Ht bookmark -o name")).toBe(
      `backup/made#lazyssh:safe-${await on("zfs get -Hpo value guid backup/made@4")}`,
    );
  },
  LIMIT_MS,
);

/** Writes a file that cannot be compressed, 6 MB, and makes a snapshot. */
const fill = (name: string, snapshot: string) =>
  `head -c 6000000 /dev/urandom >/${name}/${snapshot} && zfs snapshot ${name}@${snapshot}`;

testWithGuest(
  "an interrupted receive goes on where it was, and is given up when it fits nothing any more",
  async () => {
    const { on, filesOf, ownJob, asked, relay } = guest();
    await on(`${POOLS}; zfs create tank/res; ${fill("tank/res", "1")}`);
    const job = ownJob({ source: "tank/res", destination: "backup/res" });
    /** Of a run the bytes that went over the link, and what it said; the link is cut once when two thirds of a stream have passed. */
    const measured = async ({ cut = false, retry = true, status = "ok" } = {}) => {
      const over = new AbortController();
      const said: string[] = [];
      const before = relay.passed.up;
      let after = before;
      const say = (line: string) => {
        said.push(line);
        if (cut && /: sending /.test(line)) relay.cutAfter(4_000_000);
        if (!line.includes("trying again")) return;
        after = relay.passed.up;
        if (!retry) over.abort(new Error("ended by hand"));
      };
      const { outcome } = await runAlone(job, { say, signal: over.signal });
      expect(outcome).toMatchObject({ status, warnings: [] });
      return { said: said.join("\n"), up: relay.passed.up - before, afterCut: relay.passed.up - after };
    };
    /** A run that is over when the link is cut: how much of its stream has arrived, of that part that the guest has taken by then. */
    const cutOnce = async (): Promise<number> => {
      await measured({ cut: true, retry: false, status: "failed" });
      const token = await eventually("a token", async () => {
        const value = await on("zfs get -Hpo value receive_resume_token backup/res");
        return value !== "-" && value;
      });
      return Number(/bytes = (0x[0-9a-f]+)/.exec(await on(`zfs send -nvt ${token} 2>&1 || true`))?.[1]);
    };
    /** A guest that is slow beside other tests may have taken nothing yet; then the next run is cut off as well. */
    const cutOff = async (tries = 5): Promise<number> => {
      const arrived = await cutOnce();
      return arrived > 500_000 || tries === 1 ? arrived : cutOff(tries - 1);
    };

    // Of a first receive, from a source that is another one by then; and then the link is cut, and the same run goes on.
    expect(await cutOff()).toBeGreaterThan(500_000);
    await on(
      `zfs release lazyssh:safe tank/res@1; zfs destroy -r tank/res && zfs create tank/res; ${fill("tank/res", "1")}`,
    );
    await asked();
    const first = await measured({ cut: true });
    expect(first.said).toMatch(
      /given up, since \S+ is gone from the source[\s\S]*trying again[\s\S]*going on with @1/,
    );
    expect(first.afterCut).toBeLessThan(5_000_000);
    const sends = (await asked()).filter((line) => /^send (?!-n)/.test(line));
    expect(sends).toEqual(["send -L -e -c tank/res@1", expect.stringMatching(/^send -t 1-/)]);
    expect(await filesOf("backup/res@1")).toBe(await filesOf("tank/res@1"));

    // The next run goes on with what an earlier one has left.
    await on(fill("tank/res", "2"));
    const arrived = await cutOff();
    expect(arrived).toBeGreaterThan(500_000);
    const second = await measured();
    expect(second.said).toContain("going on with @2");
    expect(second.up).toBeLessThan(6_000_000 - 0.95 * arrived + 300_000);
    expect(await filesOf("backup/res@2")).toBe(await filesOf("tank/res@2"));
  },
  LIMIT_MS,
);

testWithGuest(
  "what is encrypted arrives as it is on disk, without its key, and so it comes back",
  async () => {
    const { on, filesOf, ownJob, jump, relayConfig } = guest();
    const { folder } = jump;
    const crypt = "-o encryption=on -o keyformat=hex -o keylocation=file:///key";
    await on(
      `${POOLS}; printf %064d 7 >/key; zfs create ${crypt} tank/enc; for n in 1 2; do head -c 300000 /dev/urandom >/tank/enc/$n; zfs snapshot tank/enc@$n; done`,
    );
    const { zfs } = ownJob({});
    await mkdir(join(folder.path, "raw"));
    const config = join(folder.path, "raw", "config.hcl");
    await writeFile(
      config,
      `replicate "enc" {
  source      = "tank/enc"
  target      = "guest"
  destination = "backup/enc"
  zfs         = ${JSON.stringify(zfs)}
  ssh { config = ${JSON.stringify(relayConfig)} }
}
`,
    );
    const lazyssh = async (...args: string[]) => {
      const more = ["--config", config, "--state-dir", join(folder.path, "raw"), "--json"];
      const { code, stdout, stderr } = await runProgram(["replicate", ...args, ...more]);
      expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
      return JSON.parse(stdout) as Record<string, unknown>;
    };
    const keyOf = (name: string) =>
      on(`zfs get -Ho value encryption,keystatus,encryptionroot ${name} | xargs`);
    /** With its key for as long as that takes. */
    const unlocked = async (snapshot: string) => {
      const [name] = snapshot.split("@");
      await on(`zfs load-key -L file:///key ${name}`);
      const files = await filesOf(snapshot);
      await on(`zfs unload-key ${name}`);
      return files;
    };
    const locked = "aes-256-gcm unavailable backup/enc";

    expect(await lazyssh("enc")).toMatchObject({
      ...{ status: "ok", warnings: [] },
      datasets: [{ status: "ok", snapshots: ["1", "2"] }],
    });
    expect(await keyOf("backup/enc")).toBe(locked);
    // From what is only a bookmark there.
    await on(
      "zfs release lazyssh:enc tank/enc@2; zfs destroy tank/enc@2; rm /tank/enc/1; zfs snapshot tank/enc@3",
    );
    const guid = await on("zfs get -Hpo value guid backup/enc@2");
    expect(await lazyssh("enc")).toMatchObject({
      datasets: [{ base: `tank/enc#lazyssh:enc-${guid}`, snapshots: ["3"] }],
    });
    expect(await keyOf("backup/enc")).toBe(locked);
    const files = await filesOf("tank/enc@3");
    expect(await unlocked("backup/enc@3")).toBe(files);
    expect(await keyOf("backup/enc")).toBe(locked);

    expect(await lazyssh("restore", "enc", "--to", "tank/drill")).toMatchObject({
      ...{ status: "ok", warnings: [] },
      datasets: [{ source: "backup/enc", target: "tank/drill", snapshots: ["3"] }],
    });
    expect(await keyOf("tank/drill")).toBe("aes-256-gcm unavailable tank/drill");
    expect(await unlocked("tank/drill@3")).toBe(files);
    // It can be used as the original was.
    const mount =
      "zfs load-key -L file:///key tank/drill && zfs set mountpoint=/drill tank/drill && zfs mount tank/drill";
    expect(await on(`${mount} && echo new >/drill/new && cat /drill/new`)).toBe("new");
    expect(await on("zfs list -Ht bookmark -o name -r backup/enc; zfs holds -H backup/enc@3")).toBe("");
  },
  LIMIT_MS,
);

testWithGuest(
  "what is compressed on disk is sent as it is, as many bytes as were estimated",
  async () => {
    const { on, filesOf, ownJob, asked, relay } = guest();
    await on(
      `${POOLS}; zfs create -o compression=gzip-1 tank/text; head -c 1000000 /dev/urandom | od -An -tx1 >/tank/text/numbers; zfs snapshot tank/text@1`,
    );
    const logical = Number(await on("zfs get -Hpo value logicalreferenced tank/text@1"));
    const job = ownJob({ source: "tank/text", destination: "backup/text" });
    const allowed = { rollback: false, destroyTarget: false };
    const about = { job, allowed, clock: systemClock, env: process.env, remembered: undefined };
    await asked();
    const dry = await dryRun({ ...about, signal: new AbortController().signal });
    expect(await asked()).toContain("send -n -P -L -e -c tank/text@1");
    expect(dry.lines.join("\n")).toMatch(/zfs send -L -e -c tank\/text@1 \|[\s\S]*# about \d/);

    const before = relay.passed.up;
    const shown: string[] = [];
    const progress = { isTTY: true, columns: 200, write: (text: string) => shown.push(text) };
    const { outcome } = await runAlone(job, { progress });
    expect(outcome).toMatchObject({ status: "ok", warnings: [] });
    const passed = relay.passed.up - before;
    expect(await asked()).toContain("send -L -e -c tank/text@1");
    const { bytes } = outcome;
    expect(bytes / (dry.bytes ?? 0)).toBeGreaterThan(0.9);
    expect(bytes / (dry.bytes ?? 0)).toBeLessThan(1.1);
    expect(bytes / logical).toBeLessThan(0.6);
    expect(passed).toBeLessThan(0.7 * logical);
    // The last that the bar says.
    const percent = Number(/\((\d+) %\)/.exec(shown.filter((text) => text.includes("%")).at(-1) ?? "")?.[1]);
    expect(percent).toBeGreaterThanOrEqual(90);
    expect(await filesOf("backup/text@1")).toBe(await filesOf("tank/text@1"));
  },
  LIMIT_MS,
);

testWithGuest(
  "what its zfs prints about itself is what was recorded of it",
  async () => {
    const { on } = guest();
    expect(`${await on("zfs 2>&1 || true")}\n`).toBe(recorded("openzfs-2.1.11", "usage.err"));
    expect(`${await on("zfs get 2>&1 || true")}\n`).toBe(recorded("openzfs-2.1.11", "get.err"));
    // And it goes by that.
    const wrong = ["send -Q", "send -A", "recv -L", "recv -t", "bookmark -r", "holds -s"];
    const said = await on(
      `for words in ${wrong.map((words) => `"${words}"`).join(" ")}; do zfs $words 2>&1 | head -1; done`,
    );
    expect(said.split("\n")).toEqual(wrong.map((words) => `invalid option '${words.at(-1)}'`));
  },
  LIMIT_MS,
);
