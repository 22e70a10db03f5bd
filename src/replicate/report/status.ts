import type { DatasetOutcome, RunStatus } from "../outcome.ts";

/** What the status of a run follows from. */
export type Judged = Pick<DatasetOutcome, "status" | "error">;

/**
 * How a run ended, from what became of its datasets and from its errors as a whole. It is `ok` only when nothing at all went wrong:
 *
 * - `failed`: something failed for the run as a whole, or no dataset came through, or none was looked at.
 * - `refused`: what did not come through was refused, each of them, and nothing was sent to the others.
 * - `partial`: some came through, some did not. So is a refusal beside a dataset that was sent.
 */
export function overallStatus(
  datasets: readonly Judged[],
  errors: readonly string[],
): Extract<RunStatus, "ok" | "partial" | "refused" | "failed"> {
  if (errors.length > 0 || datasets.length === 0) return "failed";
  const bad = datasets.filter((dataset) => !cameThrough(dataset));
  if (bad.length === 0) return "ok";
  const sent = datasets.some((dataset) => dataset.status === "ok" && cameThrough(dataset));
  if (!sent && bad.every(({ status }) => status === "refused")) return "refused";
  return bad.length < datasets.length ? "partial" : "failed";
}

/** Whether a dataset is as it should be: what was sent and has an error all the same (its retention, say) is not. */
export function cameThrough({ status, error }: Judged): boolean {
  return (status === "ok" || status === "current") && error === undefined;
}
