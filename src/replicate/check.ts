import { formatDuration } from "../util/duration.ts";
import { EXIT_CODES } from "./outcome.ts";
import { freshness } from "./plan/freshness.ts";
import { formatAge } from "./report/age.ts";
import { harmlessLine } from "./report/harmless.ts";

/** What `lazyssh replicate check` knows of a job. */
export interface CheckInput {
  readonly job: string;
  /** Where what is known comes from. */
  readonly source: "target" | "last verified run";
  /** Source datasets that have to be there. */
  readonly expected: readonly string[];
  /** Of source datasets, when the newest snapshot that the other side has was made, in seconds since the epoch. */
  readonly newest: ReadonlyMap<string, number | undefined>;
  readonly maxAgeMs: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Why nothing could be known: the check itself has failed. */
  readonly problem?: string | undefined;
}

export interface Verdict {
  readonly status: "ok" | "stale" | "failed";
  /** For people and for Nagios: "OK - safe: …" first, then a line for each dataset that is not in order. */
  readonly lines: readonly string[];
  readonly json: CheckReport;
}

/** What `lazyssh replicate check --json` prints. */
export interface CheckReport {
  readonly job: string;
  readonly status: Verdict["status"];
  readonly source: CheckInput["source"];
  readonly max_age_seconds: number;
  /** Of the dataset that is furthest behind; null when it has nothing, or when there is none. */
  readonly age_seconds: number | null;
  readonly worst: string | null;
  readonly datasets: readonly {
    readonly source: string;
    /** When its newest snapshot was made; null when there is none. */
    readonly newest: string | null;
    readonly age_seconds: number | null;
  }[];
  readonly error: string | null;
  readonly exit_code: number;
}

/** Whether what has been received is young enough: each dataset, for a backup is as old as the oldest of its parts. */
export function judge(input: CheckInput): Verdict {
  const { job, source, expected, newest, maxAgeMs, now, problem } = input;
  const all = new Map(expected.map((name) => [name, newest.get(name)]));
  const { status: freshly, worst } = freshness({ newest: all, maxAgeMs, now });
  const status = problem !== undefined ? "failed" : freshly === "fresh" ? "ok" : "stale";
  const ages = [...all].map(([name, creation]): Age => {
    const ageMs = creation === undefined ? undefined : Math.max(0, now - creation * 1_000);
    return { source: name, creation, ageMs };
  });
  return {
    status,
    lines: linesOf(input, status, ages, worst?.ageMs).map(harmlessLine),
    json: {
      job,
      status,
      source,
      max_age_seconds: maxAgeMs / 1_000,
      age_seconds: seconds(worst?.ageMs),
      worst: worst?.dataset ?? null,
      datasets: ages.map(({ source, creation, ageMs }) => ({
        source,
        newest: creation === undefined ? null : new Date(creation * 1_000).toISOString(),
        age_seconds: seconds(ageMs),
      })),
      error: problem ?? null,
      exit_code: EXIT_CODES[status],
    },
  };
}

interface Age {
  readonly source: string;
  readonly creation: number | undefined;
  readonly ageMs: number | undefined;
}

function linesOf(
  { job, source, problem, maxAgeMs }: CheckInput,
  status: Verdict["status"],
  ages: readonly Age[],
  worstMs: number | undefined,
): string[] {
  const about = `(limit ${formatDuration(maxAgeMs)})${source === "target" ? "" : ", by the last verified run"}`;
  if (problem !== undefined) return [`FAILED - ${job}: its age is not known: ${problem}`];
  if (ages.every(({ ageMs }) => ageMs === undefined)) {
    return [`STALE - ${job}: ${neverText(source)}: lazyssh replicate ${job}`];
  }
  if (status === "ok") {
    const what =
      ages.length === 1 ? "newest snapshot" : `${ages.length} datasets, newest snapshot of the oldest`;
    return [`OK - ${job}: ${what} ${formatAge(worstMs ?? 0)} old ${about}`];
  }
  const late = ages.filter(({ ageMs }) => ageMs === undefined || ageMs > maxAgeMs);
  const which = ages.length === 1 ? "" : `${late.length} of ${ages.length} datasets, the worst: `;
  const history = `What became of its runs: lazyssh replicate history ${job}`;
  return [
    `STALE - ${job}: ${which}${ageText(worstMs)} ${about}. ${history}`,
    ...late.map(({ source: name, ageMs }) => `${name}: ${ageText(ageMs)}`),
  ];
}

function ageText(ms: number | undefined): string {
  return ms === undefined ? "no snapshot" : `newest snapshot ${formatAge(ms)} old`;
}

function neverText(source: CheckInput["source"]): string {
  return source === "target"
    ? "the target has no snapshot of it. Let it run"
    : "no run has verified anything yet. Let it run";
}

function seconds(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.floor(ms / 1_000);
}
