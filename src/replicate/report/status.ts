import type { DatasetOutcome, RunStatus } from "../outcome.ts";

/**
 * The status of a run that has looked at its datasets. `refused` needs that all that is not well was refused, and that nothing
 * was sent: then a person is asked for, and nobody else. Without any dataset it is `failed`, as nothing is known to be safe.
 *
 * @param errors Of the run as a whole.
 */
export function overallStatus(
  datasets: readonly Pick<DatasetOutcome, "status" | "error" | "snapshots">[],
  errors: readonly string[],
): Extract<RunStatus, "ok" | "failed" | "partial" | "refused"> {
  if (errors.length > 0) return "failed";
  const isGood = ({ status, error }: (typeof datasets)[number]) =>
    (status === "ok" || status === "current") && error === undefined;
  const bad = datasets.filter((dataset) => !isGood(dataset));
  if (datasets.length > 0 && bad.length === 0) return "ok";
  const nothingSent = datasets.every(({ status, snapshots }) => status !== "ok" && snapshots.length === 0);
  if (bad.length > 0 && nothingSent && bad.every(({ status }) => status === "refused")) return "refused";
  return bad.length < datasets.length ? "partial" : "failed";
}
