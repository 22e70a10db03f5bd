import { hostname } from "node:os";
import { version } from "../../util/version.ts";
import {
  type DatasetOutcome,
  EXIT_CODES,
  type RunOutcome,
  type RunStatus,
  type ScrubOutcome,
} from "../outcome.ts";

/**
 * What is told of a run as JSON: by `--json`, to hooks, and by the history. Fields may be added, none changes its meaning.
 * Times are seconds, sizes bytes, moments ISO 8601 in UTC.
 */
export interface Report {
  readonly job: string;
  readonly status: RunStatus;
  readonly datasets: readonly DatasetReport[];
  /** From when the machine was asked for until it answered; null when none was needed, or it never answered. */
  readonly boot_seconds: number | null;
  /** On the wire, of all datasets. */
  readonly bytes: number;
  /** Of the whole run, boot included. */
  readonly seconds: number;
  /** Of the program that ends with this report. */
  readonly exit_code: number;
  readonly started: string;
  readonly finished: string;
  /** From when the machine was asked for until it was let go; null when none was needed. */
  readonly machine_seconds: number | null;
  /** Of the run as a whole; those of datasets are with them. */
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
  /** Null when none was due. */
  readonly scrub: ScrubOutcome | null;
  /** Where the run took place. */
  readonly host: string;
  /** Of lazyssh. */
  readonly version: string;
  /** Only where systemd has set one of them, as it does for ExecStop= and ExecStopPost=. Source: systemd.exec(5). */
  readonly systemd?: SystemdResult;
}

export interface DatasetReport {
  readonly source: string;
  readonly target: string;
  readonly status: DatasetOutcome["status"];
  /** Full name of the snapshot or bookmark that the increment began with; null for a full stream, and when nothing was sent. */
  readonly base: string | null;
  /** Names of the snapshots that have arrived and were read back. */
  readonly snapshots: readonly string[];
  readonly bytes: number;
  readonly seconds: number;
  readonly error: string | null;
  /** The newest snapshot that both sides have; `created` is when it was made. */
  readonly newest: { readonly name: string; readonly guid: string; readonly created: string } | null;
  /** Full names of snapshots that retention has destroyed. */
  readonly destroyed: readonly string[];
}

export interface SystemdResult {
  /** `$SERVICE_RESULT`: "success", "timeout", "exit-code" … */
  readonly service_result: string | null;
  /** `$EXIT_CODE`: "exited", "killed" … */
  readonly exit_code: string | null;
  /** `$EXIT_STATUS`: a number, or the name of a signal. */
  readonly exit_status: string | null;
}

/** What hooks of `on_start` get. */
export interface StartReport {
  readonly job: string;
  readonly status: "started";
  readonly started: string;
  readonly host: string;
  readonly version: string;
  readonly systemd?: SystemdResult;
}

export type Env = Readonly<Record<string, string | undefined>>;

/** What a report says beside the outcome of a run. */
export interface Surroundings {
  readonly env: Env;
  /** Default: that of this system. */
  readonly host?: string;
}

export function toJson(outcome: RunOutcome, surroundings: Surroundings): Report {
  const { job, status, startedAt, seconds, bootSeconds, machineSeconds, bytes, errors, warnings } = outcome;
  return {
    job,
    status,
    datasets: outcome.datasets.map(datasetToJson),
    boot_seconds: rounded(bootSeconds),
    bytes,
    seconds: rounded(seconds),
    exit_code: EXIT_CODES[status],
    started: iso(startedAt),
    finished: iso(startedAt + seconds * 1_000),
    machine_seconds: rounded(machineSeconds),
    errors,
    warnings,
    scrub: outcome.scrub ?? null,
    ...whereabouts(surroundings),
  };
}

/** @param startedAt Milliseconds since the epoch. */
export function startToJson(job: string, startedAt: number, surroundings: Surroundings): StartReport {
  return { job, status: "started", started: iso(startedAt), ...whereabouts(surroundings) };
}

function datasetToJson(dataset: DatasetOutcome): DatasetReport {
  const { source, target, status, base, snapshots, bytes, seconds, error, newest, destroyed } = dataset;
  return {
    source,
    target,
    status,
    base: base ?? null,
    snapshots,
    bytes,
    seconds: rounded(seconds),
    error: error ?? null,
    newest: newest ? { name: newest.name, guid: newest.guid, created: iso(newest.creation * 1_000) } : null,
    destroyed,
  };
}

function whereabouts({ env, host = hostname() }: Surroundings) {
  const { SERVICE_RESULT, EXIT_CODE, EXIT_STATUS } = env;
  const isSet = SERVICE_RESULT !== undefined || EXIT_CODE !== undefined || EXIT_STATUS !== undefined;
  const systemd: SystemdResult = {
    service_result: SERVICE_RESULT ?? null,
    exit_code: EXIT_CODE ?? null,
    exit_status: EXIT_STATUS ?? null,
  };
  return { host, version, ...(isSet && { systemd }) };
}

/** To the millisecond. */
function rounded(seconds: number): number;
function rounded(seconds: number | undefined): number | null;
function rounded(seconds: number | undefined): number | null {
  return seconds === undefined ? null : Math.round(seconds * 1_000) / 1_000;
}

/** What is no moment at all must not keep a report from being made. */
function iso(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? new Date(0).toISOString() : date.toISOString();
}
