import { hostname } from "node:os";
import { version } from "../../util/version.ts";
import { type DatasetOutcome, EXIT_CODES, type RunOutcome, type RunStatus } from "../outcome.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** A run as programs read it: one object; what is not known is null. Sizes in bytes, times in seconds. More fields may come. */
export interface RunReport {
  readonly job: string;
  readonly status: RunStatus;
  readonly datasets: readonly DatasetReport[];
  readonly boot_seconds: number | null;
  readonly bytes: number;
  readonly seconds: number;
  /** Of lazyssh. */
  readonly version: string;
  /** Where it ran. */
  readonly host: string;
  /** ISO 8601, in UTC. */
  readonly started: string | null;
  readonly finished: string | null;
  readonly exit_code: number;
  readonly machine_seconds: number | null;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
  readonly scrub: RunOutcome["scrub"] | null;
  /** What systemd has said of the service. */
  readonly service?: ServiceReport;
}

export interface DatasetReport
  extends Pick<
    DatasetOutcome,
    "source" | "target" | "status" | "snapshots" | "bytes" | "seconds" | "destroyed"
  > {
  readonly base: string | null;
  readonly error: string | null;
  readonly newest: DatasetOutcome["newest"] | null;
}

interface ServiceReport {
  readonly result: string | null;
  readonly exit_code: string | null;
  readonly exit_status: string | null;
}

/** @param env where systemd has said how the service ended. */
export function toJson(outcome: RunOutcome, env: Env = process.env, host: string = hostname()): RunReport {
  const { job, status, startedAt, seconds, bytes } = outcome;
  const service = serviceOf(env);
  return {
    job,
    status,
    datasets: outcome.datasets.map((dataset) => ({
      source: dataset.source,
      target: dataset.target,
      status: dataset.status,
      base: dataset.base ?? null,
      snapshots: dataset.snapshots,
      bytes: dataset.bytes,
      seconds: dataset.seconds,
      error: dataset.error ?? null,
      destroyed: dataset.destroyed,
      newest: dataset.newest ?? null,
    })),
    boot_seconds: outcome.bootSeconds ?? null,
    bytes,
    seconds,
    version,
    host,
    started: timeOf(startedAt),
    finished: timeOf(startedAt + seconds * 1000),
    exit_code: EXIT_CODES[status],
    machine_seconds: outcome.machineSeconds ?? null,
    errors: outcome.errors,
    warnings: outcome.warnings,
    scrub: outcome.scrub ?? null,
    ...(service && { service }),
  };
}

/** The line of a report, or of a history. */
export function toJsonLine(outcome: RunOutcome, env?: Env): string {
  return JSON.stringify(toJson(outcome, env));
}

/** What systemd tells commands that it runs after a service (`ExecStopPost=`); systemd.exec(5). */
function serviceOf(env: Env): ServiceReport | undefined {
  const { SERVICE_RESULT: result, EXIT_CODE: code, EXIT_STATUS: status } = env;
  if (result === undefined && code === undefined && status === undefined) return undefined;
  return { result: result ?? null, exit_code: code ?? null, exit_status: status ?? null };
}

/** ISO 8601, in UTC; null for what is no time. */
function timeOf(ms: number): string | null {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}
