import type { DatasetOutcome, RunOutcome } from "../../../src/replicate/outcome.ts";

/** A dataset that was sent, with what a test says of it. */
export function dataset(given: Partial<DatasetOutcome> = {}): DatasetOutcome {
  return {
    source: "rpool/safe",
    target: "backup/safe",
    status: "ok",
    base: "rpool/safe@auto-1",
    snapshots: ["auto-2", "auto-3"],
    bytes: 22_334_668,
    seconds: 4.2,
    error: undefined,
    newest: { guid: "17954321987654321987", name: "auto-3", creation: 1_764_115_200 },
    destroyed: [],
    ...given,
  };
}

export const failed = dataset({
  source: "rpool/safe/mail",
  target: "backup/safe/mail",
  status: "failed",
  base: undefined,
  snapshots: [],
  bytes: 0,
  seconds: 0,
  error: "zfs recv on archiver ended with status 1",
  newest: undefined,
});

/** A run that went well, with what a test says of it. */
export function outcome(given: Partial<RunOutcome> = {}): RunOutcome {
  return {
    job: "safe",
    status: "ok",
    startedAt: 1_764_115_800_000,
    seconds: 14.5,
    bootSeconds: 8.1,
    machineSeconds: 13.25,
    bytes: 22_334_668,
    datasets: [dataset()],
    errors: [],
    warnings: [],
    scrub: undefined,
    ...given,
  };
}
