import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect } from "vitest";
import { startArchive } from "../harness/archive.ts";
import { runProgram } from "../harness/program.ts";
import { files, fillDataset } from "../harness/zfs-files.ts";
import { testWithZfs } from "../harness/zfs-needs.ts";
import { startZfsWorld } from "../harness/zfs-world.ts";

interface Told {
  readonly path: string | undefined;
  readonly team: string | string[] | undefined;
  readonly report: { readonly job: string; readonly status: string; readonly datasets?: readonly object[] };
}

/** Who is told of runs, as Honeycomb or healthchecks.io are. */
async function listener() {
  const told: Told[] = [];
  const take = async (request: IncomingMessage): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const report = JSON.parse(Buffer.concat(chunks).toString()) as Told["report"];
    told.push({ path: request.url, team: request.headers["x-team"], report });
  };
  const server = createServer((request, response) => {
    void take(request).then(() => response.end("ok"));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  return {
    told,
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

testWithZfs(
  "from one config file: a cold volume, a boot, two datasets, export, the end of the machine, a report, and all of it back",
  async () => {
    await using archive = await startArchive();
    await using here = await startZfsWorld("desktop");
    await using events = await listener();
    const dir = join(here.folder, "work");
    mkdirSync(dir);
    await here.createPool("rpool");
    for (const name of ["rpool/safe", "rpool/safe/home", "rpool/safe/mail box"]) {
      await here.zfs("create", name);
      await fillDataset(here, name, { seed: name.length });
    }
    await here.zfs("snapshot", "-r", "rpool/safe@zfs-auto-snap_hourly-2026-11-25-2300");
    // The server of the scene, and the job of the example, which finds its ways to the pools of the test.
    const example = readFileSync("examples/backup.hcl", "utf8");
    const job = example
      .slice(example.indexOf("\nreplicate "))
      .replace(
        "  ssh {\n",
        `  zfs = ${JSON.stringify(join(here.binDir, "zfs"))}\n$&    config = "${archive.sshConfig}"\n`,
      )
      .replace('    user = "root"\n', "")
      .replaceAll("https://ping.example", events.url);
    appendFileSync(archive.configFile, job);
    const replicate = (...words: string[]) =>
      runProgram(["replicate", ...words, "--config", archive.configFile, "--state-dir", join(dir, "state")], {
        cwd: dir,
        env: { EVENTS_KEY: "key-1" },
      });

    expect([archive.calls("RunInstances"), archive.volumeState()]).toEqual([0, "available"]);
    const sent = await replicate("safe");
    expect([sent.code, sent.stderr]).toEqual([0, expect.stringContaining("safe: ok")]);
    await archive.quiet();
    expect([archive.calls("RunInstances"), archive.volumeState()]).toEqual([1, "available"]);

    // The pool can be had by anybody now: it was let go in order.
    const found = await here.exec(["zpool", "import", "-d", archive.world.volumeFolder]);
    expect(found.stdout.toString()).toMatch(/pool: backup/);
    expect(found.stdout.toString()).not.toMatch(/in use|last accessed|potentially active/);

    expect(events.told.map(({ path, report }) => [path, report.job, report.status])).toEqual([
      ["/start", "safe", "started"],
      ["/1/events/zfs-replication", "safe", "ok"],
    ]);
    expect(events.told[1]?.team).toBe("key-1");
    expect(events.told[1]?.report.datasets).toMatchObject(
      ["safe", "safe/home", "safe/mail box"].map((name) => ({
        source: `rpool/${name}`,
        target: `backup/${name}`,
        status: "ok",
        snapshots: ["zfs-auto-snap_hourly-2026-11-25-2300"],
      })),
    );

    // Nothing is new: nothing is started.
    expect((await replicate("safe")).code).toBe(0);
    expect(archive.calls("RunInstances")).toBe(1);
    expect((await replicate("check", "safe", "--offline", "--max-age", "2h")).code).toBe(0);

    const back = await replicate("restore", "safe", "--to", "rpool/drill");
    expect([back.code, back.stderr]).toEqual([0, expect.stringContaining("rpool/drill")]);
    for (const name of ["safe", "safe/home", "safe/mail box"]) {
      const there = await files(here, `rpool/${name}@zfs-auto-snap_hourly-2026-11-25-2300`);
      const restored = name.replace("safe", "drill");
      expect(await files(here, `rpool/${restored}@zfs-auto-snap_hourly-2026-11-25-2300`)).toEqual(there);
      expect(Object.keys(there).length).toBeGreaterThan(5);
    }
    await archive.quiet();
    expect(archive.volumeState()).toBe("available");
  },
  120_000,
);
