import { formatDuration } from "../../util/duration.ts";

/** How old something is: to the second below a minute, to the minute below two days, then in days. */
export function formatAge(ms: number): string {
  if (ms < 60_000) return `${Math.max(Math.floor(ms / 1_000), 0)} s`;
  if (ms < 48 * 3_600_000) return formatDuration(Math.floor(ms / 60_000) * 60_000);
  return `${Math.floor(ms / 86_400_000)} days`;
}
