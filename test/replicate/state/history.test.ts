import { appendFileSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Report, toJson } from "../../../src/replicate/report/json.ts";
import { jobFolder, replicateStateOf } from "../../../src/replicate/state/folder.ts";
import { readHistory, rememberRun } from "../../../src/replicate/state/history.ts";
import { tempDir } from "../../harness/temp.ts";
import { failed, outcome } from "../report/given.ts";

function report(number: number): Report {
  return toJson(outcome({ startedAt: number * 1_000, datasets: [failed] }), { env: {} });
}

function start() {
  const state = replicateStateOf(tempDir(), {});
  return { state, file: join(jobFolder(state, "safe"), "history.jsonl") };
}

const clean = (runs: readonly Report[]) => ({ runs, problem: undefined });

describe("the history of a job", () => {
  it("has all runs, the latest last, or the latest few", async () => {
    const { state, file } = start();
    expect(await readHistory(state, "safe")).toEqual(clean([]));
    for (const number of [1, 2, 3]) await rememberRun(state, report(number));
    expect(await readHistory(state, "safe")).toEqual(clean([1, 2, 3].map(report)));
    expect(await readHistory(state, "safe", 2)).toEqual(clean([2, 3].map(report)));
    expect(await readHistory(state, "safe", 0)).toEqual(clean([]));
    expect(await readHistory(state, "other")).toEqual(clean([]));
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it("survives a crash at any byte of a run that is being written", async () => {
    const { state, file } = start();
    await rememberRun(state, report(1));
    const whole = statSync(file).size;
    await rememberRun(state, report(2));
    const end = statSync(file).size;
    for (let size = whole; size < end; size += 37) {
      truncateSync(file, size);
      const torn = size > whole;
      const read = await readHistory(state, "safe");
      expect(read.runs).toEqual([report(1)]);
      expect(read.problem ?? "").toMatch(
        torn ? /^1 line of .*history.jsonl cannot be read, and is left out$/ : /^$/,
      );
      await rememberRun(state, report(2));
      expect(await readHistory(state, "safe")).toEqual(clean([1, 2].map(report)));
    }
    truncateSync(file, 0);
    await rememberRun(state, report(3));
    expect(await readHistory(state, "safe")).toEqual(clean([report(3)]));
  });

  it("leaves out what is damaged, tells of it, and keeps the rest", async () => {
    const { state, file } = start();
    await rememberRun(state, report(1));
    const broken = [
      { ...report(2), status: "fine" },
      { ...report(2), datasets: [{}] },
      { ...report(2), errors: [1] },
      [],
      null,
    ];
    appendFileSync(file, `\0\0garbage\n\n${broken.map((one) => `${JSON.stringify(one)}\n`).join("")}`);
    await rememberRun(state, report(3));
    const { runs, problem } = await readHistory(state, "safe");
    expect(runs).toEqual([1, 3].map(report));
    expect(problem).toBe(`6 lines of ${file} cannot be read, and are left out`);
  });

  it("cannot be read where there is no file, and says so", async () => {
    const { state, file } = start();
    mkdirSync(file, { recursive: true });
    const { runs, problem } = await readHistory(state, "safe");
    expect([runs, problem]).toEqual([[], expect.stringContaining("the history cannot be read: EISDIR")]);
  });

  it("keeps the latest runs only, by number and by size", async () => {
    const { state, file } = start();
    const limits = { runs: 20, bytes: 1_000_000 };
    for (let number = 1; number <= 23; number++) await rememberRun(state, report(number), limits);
    const after = await readHistory(state, "safe");
    expect(after.runs.map(({ started }) => started)).toEqual(
      Array.from({ length: 20 }, (_, index) => report(index + 4).started),
    );
    const size = statSync(file).size / 20;
    await rememberRun(state, report(24), { runs: 20, bytes: size * 3.5 });
    expect((await readHistory(state, "safe")).runs).toEqual([22, 23, 24].map(report));
    await rememberRun(state, report(25), { runs: 20, bytes: 1 });
    expect((await readHistory(state, "safe")).runs).toEqual([report(25)]);
  });

  it("has a thousand runs, and a line is what hooks have got", async () => {
    const { state, file } = start();
    await rememberRun(state, report(0));
    writeFileSync(file, readFileSync(file, "utf8").repeat(1_100));
    await rememberRun(state, report(1));
    const { runs } = await readHistory(state, "safe");
    expect([runs.length, runs.at(-1)]).toEqual([1_000, report(1)]);
    expect(readFileSync(file, "utf8").split("\n")).toHaveLength(1_001);
    expect(readFileSync(file, "utf8").endsWith(`\n${JSON.stringify(report(1))}\n`)).toBe(true);
  });
});
