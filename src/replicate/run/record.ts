import type { DatasetOutcome, RunOutcome, ScrubOutcome } from "../outcome.ts";
import type { Plan } from "../plan/steps.ts";
import type { Machine } from "./machine.ts";
import type { RunOptions } from "./options.ts";
import { statusOf } from "./status.ts";

/** What a run has to tell, as it comes to be known. */
export class RunRecord {
  readonly errors: string[] = [];
  readonly warnings: string[] = [];
  scrub: ScrubOutcome | undefined;
  readonly #options: Pick<RunOptions, "job" | "clock">;
  readonly #startedAt: number;
  #datasets: DatasetOutcome[] = [];

  constructor(options: Pick<RunOptions, "job" | "clock">) {
    this.#options = options;
    this.#startedAt = options.clock.now();
  }

  /** All that are to be done: until it is told otherwise, they were not tried. */
  expect(plan: Plan): void {
    this.#datasets = plan.datasets.map(({ source, target }) =>
      untried(source, target, "the run ended before it"),
    );
  }

  tell(outcome: DatasetOutcome): void {
    const at = this.#datasets.findIndex(({ source }) => source === outcome.source);
    if (at < 0) this.#datasets.push(outcome);
    else this.#datasets[at] = outcome;
  }

  warn(words: string): void {
    if (!this.warnings.includes(words)) this.warnings.push(words);
  }

  outcome(machine: Machine): RunOutcome {
    const { job, clock } = this.#options;
    const datasets = this.#datasets;
    return {
      job: job.name,
      status: statusOf(datasets, this.errors),
      startedAt: this.#startedAt,
      seconds: Math.max(clock.now() - this.#startedAt, 0) / 1000,
      bootSeconds: machine.bootSeconds,
      machineSeconds: machine.machineSeconds,
      bytes: datasets.reduce((sum, { bytes }) => sum + bytes, 0),
      datasets,
      errors: this.errors,
      warnings: this.warnings,
      scrub: this.scrub,
    };
  }
}

export function untried(source: string, target: string, why: string): DatasetOutcome {
  const nothing = { base: undefined, snapshots: [], bytes: 0, seconds: 0, newest: undefined, destroyed: [] };
  return { source, target, status: "skipped", ...nothing, error: `${source} was not tried: ${why}` };
}
