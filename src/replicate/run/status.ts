import type { DatasetOutcome, RunStatus } from "../outcome.ts";

/** What the whole is called. Something that went wrong for all leaves at most `partial`. */
export function statusOf(datasets: readonly DatasetOutcome[], errors: readonly string[]): RunStatus {
  const good = datasets.filter(({ status }) => status === "ok" || status === "current");
  if (good.length === datasets.length && errors.length === 0) return datasets.length === 0 ? "failed" : "ok";
  if (good.length > 0) return "partial";
  const refused = datasets.length > 0 && datasets.every(({ status }) => status === "refused");
  return refused && errors.length === 0 ? "refused" : "failed";
}
