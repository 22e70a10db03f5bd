import { fork } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { DEFAULT_JOB } from "../../../src/config/replicate.ts";
import type { DatasetOutcome, RunOutcome } from "../../../src/replicate/outcome.ts";
import { chooseReplicateDir } from "../../../src/replicate/state/choose.ts";
import { knownState, openReplicateState } from "../../../src/replicate/state/state.ts";
import type { Verified, VerifiedJob } from "../../../src/replicate/state/verified.ts";
import { tempDir } from "../../harness/temp.ts";

const BUILT = new URL("../../../dist/replicate/state/state.js", import.meta.url).href;

const dataset: DatasetOutcome = {
  source: "rpool/safe",
  target: "backup/safe",
  status: "ok",
  base: "rpool/safe@a b:c",
  snapshots: ["d"],
  bytes: 4,
  seconds: 0.5,
  error: undefined,
  newest: { guid: "18446744073709551615", name: "d", creation: 1_699_999_999 },
  destroyed: [],
};

const outcome: RunOutcome = {
  job: "safe",
  status: "ok",
  startedAt: 1_700_000_000_000,
  seconds: 12,
  bootSeconds: 6,
  machineSeconds: undefined,
  bytes: 4,
  datasets: [dataset],
  errors: [],
  warnings: ["a line\nand one more"],
  scrub: undefined,
};

async function open(path = join(tempDir(), "replicate")) {
  const warnings: string[] = [];
  const state = await openReplicateState(path, { warn: (words) => void warnings.push(words) });
  return { state, path, warnings };
}

describe("chooseReplicateDir", () => {
  const env = { STATE_DIRECTORY: "/var/lib/lazyssh:/var/lib/other", XDG_STATE_HOME: "/x", HOME: "/h" };

  it.each([
    ["/flag", env, "/flag/replicate"],
    [undefined, env, "/var/lib/lazyssh/replicate"],
    [undefined, { XDG_STATE_HOME: "/x", HOME: "/h" }, "/x/lazyssh/replicate"],
    [undefined, { STATE_DIRECTORY: "", HOME: "/h" }, "/h/.local/state/lazyssh/replicate"],
  ])("takes the first that is said: %s, %j", (flag, environment, path) => {
    expect(chooseReplicateDir({ flag }, environment)).toBe(path);
  });
});

describe("openReplicateState", () => {
  it("makes its folders and files for their user alone", async () => {
    const { state, path } = await open();
    await state.rememberRun(outcome);
    const made = [path, join(path, "jobs"), join(path, "locks"), join(path, "jobs", "safe")];
    expect(made.map((each) => statSync(each).mode & 0o777)).toEqual([0o700, 0o700, 0o700, 0o700]);
    expect(statSync(join(path, "jobs", "safe", "history.jsonl")).mode & 0o777).toBe(0o600);
    expect(await state.jobs()).toEqual(["safe"]);
  });

  it("says so when the folder cannot be made", async () => {
    const file = join(tempDir(), "file");
    writeFileSync(file, "");
    await expect(open(join(file, "replicate"))).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(
        /^cannot use the state directory .*file\/replicate: ENOTDIR.*--state-dir$/,
      ),
    });
  });

  it.skipIf(!existsSync("/proc/self"))(
    "says so where no folder can be made, and does not try for ever",
    async () => {
      await expect(open("/proc/none/replicate")).rejects.toMatchObject({
        code: "CONFIG_INVALID",
        message: expect.stringMatching(/^cannot use the state directory \/proc\/none.*ENOENT.*--state-dir$/),
      });
    },
  );

  it.skipIf(process.getuid?.() === 0)("says so when nothing can be written there", async () => {
    const { path } = await open();
    chmodSync(path, 0o500);
    await expect(open(path)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });

  it("says so when its path leaves no room for a socket", async () => {
    await expect(open(join(tempDir(), "a".repeat(120)))).rejects.toThrow(
      /path is longer than the 80 bytes .*--state-dir/,
    );
  });

  it("says so when what it wants to write is in the way of something else", async () => {
    const { state, path } = await open();
    mkdirSync(join(path, "jobs", "safe", "history.jsonl"), { recursive: true });
    writeFileSync(join(path, "jobs", "other"), "");
    const failure = { code: "CONFIG_INVALID", message: expect.stringContaining("--state-dir") };
    await expect(state.rememberRun(outcome)).rejects.toMatchObject(failure);
    await expect(state.readHistory("safe", 1)).rejects.toMatchObject(failure);
    await expect(state.rememberVerified({ ...job, name: "other" }, verified)).rejects.toMatchObject(failure);
  });

  it.each(["..", ".", "", "a/b", "a\n", "a".repeat(65)])("leads nowhere by the name %j", async (name) => {
    const { state } = await open();
    const failure = {
      code: "CONFIG_INVALID",
      message: expect.stringContaining("cannot be the name of a job"),
    };
    await expect(state.rememberRun({ ...outcome, job: name })).rejects.toMatchObject(failure);
    await expect(state.readVerified({ ...job, name })).rejects.toMatchObject(failure);
    await expect(state.lockJob(name)).rejects.toMatchObject(failure);
  });
});

describe("knownState", () => {
  it("reads what a run has left, and makes nothing", async () => {
    const { state, path } = await open();
    const before = knownState(path, { warn: () => undefined });
    expect(await before.jobs()).toEqual([]);
    await state.rememberRun(outcome);
    expect([await before.jobs(), await before.readHistory("safe", 9)]).toEqual([
      ["safe"],
      [JSON.parse(JSON.stringify(outcome))],
    ]);
    const none = join(tempDir(), "none");
    const nothing = knownState(none, { warn: () => undefined });
    expect([await nothing.jobs(), await nothing.readHistory("safe", 9)]).toEqual([[], []]);
    expect(await nothing.readVerified(job)).toBeUndefined();
    expect(existsSync(none)).toBe(false);
  });
});

describe("lockJob", () => {
  it("is held by another process, which is named, until that is killed", async () => {
    const name = "j".repeat(64); // as long as they may be
    const { state, path } = await open();
    const script = join(tempDir(), "holder.mjs");
    writeFileSync(
      script,
      `import { openReplicateState } from ${JSON.stringify(BUILT)};
       const [path, job] = process.argv.slice(2);
       const state = await openReplicateState(path, { warn: () => undefined });
       process.on("message", () => undefined); // stays
       process.send("heldBy" in (await state.lockJob(job)) ? "held" : "mine");`,
    );
    const before = Date.now();
    const holder = fork(script, [path, name]);
    const exit = once(holder, "exit");
    onTestFinished(() => void holder.kill("SIGKILL"));
    expect((await once(holder, "message"))[0]).toBe("mine");

    const attempt = await state.lockJob(name);
    expect(attempt).toEqual({ heldBy: { pid: holder.pid, since: expect.any(Number) } });
    if ("heldBy" in attempt) expect(attempt.heldBy?.since).toBeGreaterThanOrEqual(before);
    await hold(state.lockJob("other"));

    holder.kill("SIGKILL");
    await exit;
    const lock = await hold(state.lockJob(name));
    expect(await state.lockJob(name)).toMatchObject({ heldBy: { pid: process.pid } });
    await lock.release();
    await lock.release();
    await hold(state.lockJob(name));
  });

  async function hold(attempt: ReturnType<Awaited<ReturnType<typeof open>>["state"]["lockJob"]>) {
    const lock = await attempt;
    if ("heldBy" in lock) throw new Error(`it is held by ${lock.heldBy?.pid}`);
    onTestFinished(() => lock.release());
    return lock;
  }
});

describe("history", () => {
  const fileIn = (path: string) => join(path, "jobs", "safe", "history.jsonl");

  it("gives the newest as they were, in their order", async () => {
    const { state } = await open();
    for (let run = 0; run < 5; run++) await state.rememberRun({ ...outcome, seconds: run });
    expect(await state.readHistory("safe", 2)).toEqual([
      { ...outcome, seconds: 3 },
      { ...outcome, seconds: 4 },
    ]);
    expect(await state.readHistory("safe", 10)).toHaveLength(5);
    expect(await state.readHistory("safe", 0)).toEqual([]);
    expect(await state.readHistory("other", 10)).toEqual([]);
  });

  it("has a run anew when more of it is known, and no other", async () => {
    const { state } = await open();
    await state.rememberRun(outcome);
    const next = { ...outcome, startedAt: outcome.startedAt + 1 };
    await state.rememberRun(next);
    await state.amendRun({ ...next, warnings: ["nobody was told"] });
    expect(await state.readHistory("safe", 9)).toEqual([outcome, { ...next, warnings: ["nobody was told"] }]);
    await state.amendRun({ ...next, startedAt: next.startedAt + 1 });
    expect(await state.readHistory("safe", 9)).toHaveLength(3);
  });

  it("goes on after a line that a crash has torn", async () => {
    const { state, path } = await open();
    await state.rememberRun(outcome);
    appendFileSync(fileIn(path), JSON.stringify(outcome).slice(0, 100));
    expect(await state.readHistory("safe", 10)).toEqual([outcome]);
    await state.rememberRun({ ...outcome, seconds: 13 });
    expect((await state.readHistory("safe", 10)).map(({ seconds }) => seconds)).toEqual([12, 13]);
  });

  it.each([
    ["null"],
    ["[]"],
    ["{}"],
    ["\u0000\u0000"],
    [JSON.stringify({ ...outcome, status: "good" })],
    [JSON.stringify({ ...outcome, seconds: null })],
    [JSON.stringify({ ...outcome, datasets: [null] })],
    [JSON.stringify({ ...outcome, datasets: [{ ...dataset, snapshots: [1] }] })],
    [JSON.stringify({ ...outcome, errors: "none" })],
  ])("passes over the damaged line %s", async (line) => {
    const { state, path } = await open();
    await state.rememberRun(outcome);
    appendFileSync(fileIn(path), `${line}\n`);
    await state.rememberRun({ ...outcome, seconds: 13 });
    expect((await state.readHistory("safe", 2)).map(({ seconds }) => seconds)).toEqual([12, 13]);
  });

  it("keeps the last thousand", async () => {
    const { state, path } = await open();
    await state.rememberRun(outcome);
    const lines = Array.from({ length: 1_100 }, (_, seconds) => JSON.stringify({ ...outcome, seconds }));
    writeFileSync(fileIn(path), `${lines.join("\n")}\n`);
    expect(await state.readHistory("safe", Infinity)).toHaveLength(1_000);
    await state.rememberRun({ ...outcome, seconds: 1_100 });
    expect(readFileSync(fileIn(path), "utf8").split("\n")).toHaveLength(1_001);
    const runs = await state.readHistory("safe", Infinity);
    expect([runs.length, runs[0]?.seconds, runs.at(-1)?.seconds]).toEqual([1_000, 101, 1_100]);
  });

  it("keeps fewer where each is large", async () => {
    const { state, path } = await open();
    await state.rememberRun(outcome);
    const large = { ...outcome, errors: ["x".repeat(2 ** 20)] };
    writeFileSync(fileIn(path), `${JSON.stringify(large)}\n`.repeat(20));
    await state.rememberRun(outcome);
    expect(statSync(fileIn(path)).size).toBeLessThan(16 * 2 ** 20);
    const runs = await state.readHistory("safe", 100);
    expect([runs.length, runs.at(-1)]).toEqual([16, outcome]);
  });
});

const job: VerifiedJob = {
  ...DEFAULT_JOB,
  ...{ name: "safe", target: "archiver", source: "rpool/safe", destination: "backup/safe" },
};

const verified: Verified = {
  at: 1_700_000_000_000,
  datasets: [
    {
      source: "rpool/safe",
      target: "backup/safe",
      guid: "18446744073709551615",
      name: "a b:c",
      creation: 1_699_999_999,
    },
  ],
  received: new Map([["backup/safe", ["1", "18446744073709551615"]]]),
  scrubbedAt: undefined,
};

describe("verified", () => {
  it("is read as it was written last", async () => {
    const { state, warnings } = await open();
    expect(await state.readVerified(job)).toBeUndefined();
    await state.rememberVerified(job, verified);
    expect(await state.readVerified(job)).toEqual(verified);
    const next = { ...verified, datasets: [], scrubbedAt: 1_700_000_000_001 };
    await state.rememberVerified(job, next);
    expect(await state.readVerified(job)).toEqual(next);
    expect(warnings).toEqual([]);
  });

  it.each([
    [{ target: "other" }],
    [{ direction: "pull" }],
    [{ source: "rpool" }],
    [{ destination: "backup" }],
    [{ ssh: { ...job.ssh, jump: "elsewhere" } }],
    [{ ssh: { ...job.ssh, options: ["HostName=elsewhere"] } }],
  ] as const)("is absent when the job has %j", async (change) => {
    const { state, warnings } = await open();
    await state.rememberVerified(job, verified);
    expect(await state.readVerified({ ...job, ...change })).toBeUndefined();
    expect(warnings).toEqual([]);
  });

  type Content = Record<"at" | "datasets" | "received" | "scrubbedAt" | "place", unknown>;
  const changed = (change: Partial<Content>) => (text: string) =>
    JSON.stringify({ ...(JSON.parse(text) as Content), ...change });
  const [whole] = verified.datasets;

  it.each([
    ["empty", () => ""],
    ["torn", (text: string) => text.slice(0, 200)],
    ["no object", () => "[]"],
    ["of no job", changed({ place: undefined })],
    ["without a time", changed({ at: undefined })],
    ["without datasets", changed({ datasets: {} })],
    ["with half a dataset", changed({ datasets: [whole, { source: "x" }] })],
    ["with a guid that is a number", changed({ datasets: [{ ...whole, guid: 1 }] })],
    ["without what was received", changed({ received: undefined })],
    ["with nonsense received", changed({ received: [["backup/safe", ["x"]]] })],
    ["with a scrub at no time", changed({ scrubbedAt: "today" })],
  ])("is absent, and told of, when it is %s", async (_, damage) => {
    const { state, path, warnings } = await open();
    await state.rememberVerified(job, verified);
    const file = join(path, "jobs", "safe", "verified.json");
    writeFileSync(file, damage(readFileSync(file, "utf8")));
    expect(await state.readVerified(job)).toBeUndefined();
    expect(warnings).toEqual([expect.stringMatching(/verified\.json .*next run that succeeds/)]);
    await state.rememberVerified(job, verified);
    expect(await state.readVerified(job)).toEqual(verified);
  });
});
