import { expect, it } from "vitest";
import { historyToJsonLines, historyToText } from "../../../src/replicate/report/history.ts";
import { toJson } from "../../../src/replicate/report/json.ts";
import { dataset, failed, outcome } from "./given.ts";

const runs = [
  outcome(),
  outcome({ status: "partial", datasets: [dataset(), failed], startedAt: 1_764_119_400_000, seconds: 4_000 }),
  outcome({
    status: "failed",
    datasets: [],
    bytes: 0,
    bootSeconds: undefined,
    errors: [`the machine\u001b[2J did not\nanswer ${"x".repeat(200)}`],
  }),
].map((run) => toJson(run, { env: {} }));

it("is a table with a line for each run, and what went wrong first", () => {
  expect(historyToText(runs)).toBe(`STARTED               STATUS   TOOK     BOOT   SENT      DATASETS
2025-11-26T00:10:00Z  ok       14.5 s   8.1 s  21.3 MiB  1 ok
2025-11-26T01:10:00Z  partial  1h6m40s  8.1 s  21.3 MiB  1 ok, 1 failed  rpool/safe/mail: zfs recv on archiver ended with status 1
2025-11-26T00:10:00Z  failed   14.5 s   -      -         -               the machine [2J did not answer ${"x".repeat(88)}…
`);
  expect(historyToText([])).toBe("no run has been recorded\n");
});

it("is a line of JSON for each run", () => {
  const lines = historyToJsonLines(runs).trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toEqual(runs);
});
