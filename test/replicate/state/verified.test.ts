import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DEFAULT_JOB, type ReplicateJob } from "../../../src/config/replicate.ts";
import { jobFolder, replicateStateOf } from "../../../src/replicate/state/folder.ts";
import { readVerified, rememberVerified, settledGuids } from "../../../src/replicate/state/verified.ts";
import { tempDir } from "../../harness/temp.ts";
import { dataset, failed, outcome } from "../report/given.ts";

const job: ReplicateJob = {
  ...DEFAULT_JOB,
  name: "safe",
  target: "archiver",
  source: "rpool/safe",
  destination: "backup/safe",
};
const newest = { guid: "17954321987654321987", name: "auto-3", creation: 1_764_115_200 };
const mail = dataset({ ...failed, status: "ok", error: undefined, newest: { ...newest, guid: "42" } });
const safe = { source: "rpool/safe", target: "backup/safe", ...newest, at: 1_764_115_814_500 };

function start() {
  const state = replicateStateOf(tempDir(), {});
  return { state, file: join(jobFolder(state, "safe"), "verified.json") };
}

describe("what a verified run has left", () => {
  it("is there for the next one", async () => {
    const { state, file } = start();
    expect(await readVerified(state, job)).toEqual({ verified: undefined, problem: undefined });
    expect(settledGuids(await readVerified(state, job)).size).toBe(0);
    await rememberVerified(state, job, outcome());
    const read = await readVerified(state, job);
    expect(read).toEqual({ verified: { datasets: [{ ...safe, settled: true }] }, problem: undefined });
    expect(settledGuids(read)).toEqual(new Map([["backup/safe", "17954321987654321987"]]));
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it.each<[string, Partial<ReplicateJob>]>([
    ["another host", { target: "archiver2" }],
    ["another dataset", { source: "rpool/other" }],
    ["another place", { destination: "backup/other" }],
    ["the other direction", { direction: "pull" }],
    ["another port", { ssh: { ...job.ssh, port: 2222 } }],
    ["another jump host", { ssh: { ...job.ssh, jump: "lazyssh" } }],
    ["another ssh config", { ssh: { ...job.ssh, config: "/other" } }],
    ["another option of ssh", { ssh: { ...job.ssh, options: ["HostName=other"] } }],
  ])("counts no more as soon as the job is about %s", async (_, change) => {
    const { state } = start();
    await rememberVerified(state, job, outcome());
    const { verified, problem } = await readVerified(state, { ...job, ...change });
    expect([verified, problem]).toEqual([
      undefined,
      expect.stringContaining("before the job safe was changed"),
    ]);
    await rememberVerified(state, { ...job, ...change }, outcome({ datasets: [] }));
    expect((await readVerified(state, { ...job, ...change })).verified).toEqual({ datasets: [] });
  });

  it("lets no run do without a look after one in which anything went wrong", async () => {
    const { state } = start();
    const both = outcome({ datasets: [dataset(), mail] });
    const settled = async () => [...settledGuids(await readVerified(state, job)).keys()];
    const names = async () => (await readVerified(state, job)).verified?.datasets.map(({ source }) => source);
    const leftBy = async (run: typeof both) => {
      await rememberVerified(state, job, both);
      expect(await settled()).toEqual(["backup/safe", "backup/safe/mail"]);
      await rememberVerified(state, job, run);
      return [await names(), await settled()];
    };
    const known = ["rpool/safe", "rpool/safe/mail"];
    // One failed: what was there before is still known, with its age, and does not do for a run without a boot.
    expect(await leftBy({ ...both, datasets: [dataset(), failed] })).toEqual([known, ["backup/safe"]]);
    const old = (await readVerified(state, job)).verified?.datasets[1];
    expect(old).toMatchObject({ guid: "42", settled: false });
    // Sent, with an error of its own, or refused.
    expect(await leftBy({ ...both, datasets: [dataset(), { ...mail, error: "retention" }] })).toEqual([
      known,
      ["backup/safe"],
    ]);
    expect(await leftBy({ ...both, datasets: [{ ...mail, status: "refused", error: "diverged" }] })).toEqual([
      ["rpool/safe/mail"],
      [],
    ]);
    // The run as a whole.
    expect(await leftBy({ ...both, errors: ["zpool export failed"] })).toEqual([known, []]);
    expect(await leftBy({ ...both, datasets: [], errors: ["no boot"] })).toEqual([known, []]);
    // The source has nothing to send any more.
    expect(await leftBy({ ...both, datasets: [{ ...mail, status: "current", newest: undefined }] })).toEqual([
      [],
      [],
    ]);
  });

  it("counts for nothing when it is damaged, and the next run writes it anew", async () => {
    const { state, file } = start();
    await rememberVerified(state, job, outcome());
    const good = readFileSync(file, "utf8");
    const edit = (change: object) => {
      const { place, datasets } = JSON.parse(good);
      return JSON.stringify({ place, datasets: [{ ...datasets[0], ...change }] });
    };
    const damaged = [
      "",
      "null",
      "[]",
      "{}",
      good.slice(0, -20),
      `\0${good.slice(1)}`,
      edit({ guid: 17 }),
      edit({ guid: "" }),
      edit({ guid: "x" }),
      edit({ target: undefined }),
      edit({ settled: "yes" }),
      edit({ creation: 1e300 }),
      edit({ creation: "1" }),
    ];
    for (const content of damaged) {
      writeFileSync(file, content);
      const read = await readVerified(state, job);
      expect(read).toEqual({
        verified: undefined,
        problem: expect.stringContaining("the next run writes it anew"),
      });
      expect(settledGuids(read).size).toBe(0);
      await rememberVerified(state, job, outcome());
      expect((await readVerified(state, job)).verified).toEqual({ datasets: [{ ...safe, settled: true }] });
    }
  });
});
