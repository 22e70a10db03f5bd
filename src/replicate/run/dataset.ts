import { messageOf } from "../../util/errors.ts";
import type { Dataset } from "../model.ts";
import type { DatasetOutcome } from "../outcome.ts";
import { type Common, newestCommon } from "../plan/points.ts";
import type { DatasetPlan, Step } from "../plan/steps.ts";
import type { Context } from "./context.ts";
import { where } from "./ends.ts";
import { takeStep } from "./steps.ts";
import { list, type Single, surveyOne } from "./survey.ts";
import { cureOf, Trouble } from "./trouble.ts";
import { refusalWords } from "./words.ts";

export interface DatasetResult {
  readonly outcome: DatasetOutcome;
  /** As it was seen last on the target. */
  readonly target: Dataset | undefined;
  readonly source: Dataset | undefined;
  readonly common: Common | undefined;
  /** There is no machine any more that others could be sent to. */
  readonly isMachineGone: boolean;
}

/** Before the second and the third time. */
const PAUSES_MS: readonly number[] = [1_000, 5_000];
/** A plan that is older is made anew before it is followed. */
const STALE_MS = 60_000;

/** Brings one dataset up to date, at most in three attempts, each with a plan of its own. Never rejects, also when the signal aborts. */
export async function replicateDataset(
  context: Context,
  first: Single,
  plannedAt: number,
): Promise<DatasetResult> {
  return new Attempts(context, first, plannedAt).toEnd();
}

class Attempts {
  readonly #context: Context;
  readonly #about: Pick<DatasetPlan, "source" | "target">;
  /** What was on the target before. */
  readonly #before: ReadonlySet<string>;
  #single: Single;
  #plannedAt: number;
  #target: Dataset | undefined;
  #base: string | undefined;
  #bytes = 0;
  #seconds = 0;
  #modified = false;
  #unheld: string | undefined;

  constructor(context: Context, first: Single, plannedAt: number) {
    this.#context = context;
    this.#about = first.plan;
    this.#single = first;
    this.#plannedAt = plannedAt;
    this.#target = first.target;
    this.#before = new Set(first.target?.snapshots.map(({ guid }) => guid));
  }

  async toEnd(): Promise<DatasetResult> {
    try {
      return await this.#untilItHelps();
    } catch (error) {
      return this.#result(error);
    }
  }

  /** Only rejects with the signal's reason. */
  async #untilItHelps(): Promise<DatasetResult> {
    const { signal, options } = this.#context;
    for (let attempt = 0; ; attempt++) {
      try {
        await this.#attempt(attempt);
        return this.#result(undefined, this.#unheld);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof Trouble && error.modified && !this.#modified) {
          // The plan did not know: with this it goes back, or refuses with the snapshots that show it and the commands.
          this.#modified = true;
          continue;
        }
        const cure = cureOf(error);
        const pause = PAUSES_MS[attempt];
        if (cure === "none" || pause === undefined) return await this.#fail(error);
        options.say(`${this.#about.source}: ${messageOf(error)}; trying again`);
        if (cure !== "replan") await options.clock.sleep(pause, signal);
        if (cure === "reconnect") await this.#reconnect();
      }
    }
  }

  /** @throws Trouble, or another error that says why not. */
  async #attempt(attempt: number): Promise<void> {
    const context = this.#context;
    this.#unheld = undefined;
    if (!context.machine.isThere) await context.reconnect();
    const isOld = context.options.clock.now() - this.#plannedAt > STALE_MS;
    if (attempt > 0 || this.#modified || isOld || this.#single.plan.steps.some(isDrastic))
      await this.#replan();
    const { source, plan } = this.#single;
    if (!source) return;
    for (const step of plan.steps) {
      if (step.kind === "incremental") {
        this.#base ??= `${step.source}${step.base.kind === "bookmark" ? "#" : "@"}${step.base.name}`;
      }
      await takeStep(context, step, source, {
        onSent: ({ bytes, seconds }) => {
          this.#bytes += bytes;
          this.#seconds += seconds;
        },
        onSeen: (target) => {
          this.#target = target;
        },
        onUnheld: (why) => {
          this.#unheld ??= why;
        },
      });
    }
  }

  async #replan(): Promise<void> {
    const { ends, job, options, signal } = this.#context;
    const { allowed } = options;
    this.#single = await surveyOne({ ends, job, allowed, signal }, this.#about, this.#modified);
    this.#target = this.#single.target;
    this.#plannedAt = options.clock.now();
  }

  /** A machine that cannot be had now may be had at the next attempt. */
  async #reconnect(): Promise<void> {
    const { signal, reconnect } = this.#context;
    try {
      await reconnect();
    } catch (error) {
      signal.throwIfAborted();
      this.#context.options.say(messageOf(error));
    }
  }

  async #fail(error: unknown): Promise<DatasetResult> {
    const { ends, signal } = this.#context;
    try {
      // What has arrived in spite of it counts.
      if (this.#context.machine.isThere) {
        const seen = await list(ends.target, this.#about.target, false, signal);
        this.#target = seen.find(({ name }) => name === this.#about.target);
      }
    } catch {
      signal.throwIfAborted();
    }
    return this.#result(error);
  }

  /** @param unheld Why all that has arrived is not well all the same. */
  #result(error: unknown, unheld?: string): DatasetResult {
    const { ends } = this.#context;
    const { source, plan } = this.#single;
    const target = this.#target;
    const common = source && target && newestCommon(source, target, ends.source.features.bookmarks);
    const known = new Map(source?.snapshots.map(({ guid, name }) => [guid, name]));
    const arrived = (target?.snapshots ?? []).flatMap(({ guid }) => {
      const name = this.#before.has(guid) ? undefined : known.get(guid);
      return name === undefined ? [] : [name];
    });
    const outcome: DatasetOutcome = {
      source: this.#about.source,
      target: this.#about.target,
      ...(unheld === undefined
        ? this.#ended(plan, error, arrived.length)
        : { status: "failed", error: `${this.#about.source} has arrived, but ${unheld}` }),
      base: this.#base,
      snapshots: arrived,
      bytes: this.#bytes,
      seconds: this.#seconds,
      newest: common && {
        guid: common.base.guid,
        name: common.onSource.name,
        creation: common.onSource.creation,
      },
      destroyed: [],
    };
    return { outcome, source, target, common, isMachineGone: !this.#context.machine.isThere };
  }

  #ended(plan: DatasetPlan, error: unknown, arrived: number): Pick<DatasetOutcome, "status" | "error"> {
    const { ends } = this.#context;
    if (error !== undefined) {
      const to = `${this.#about.target} ${where(ends.target.side)}`;
      const words = this.#context.signal.aborted
        ? `the run was ended: ${messageOf(error)}`
        : messageOf(error);
      const isDiverged = error instanceof Trouble && error.modified;
      return {
        status: isDiverged ? "refused" : "failed",
        error: `${this.#about.source} could not be brought to ${to}: ${words}`,
      };
    }
    if (plan.refusal) {
      const sides = { source: ends.source.side, target: ends.target.side };
      return { status: "refused", error: refusalWords(plan.refusal, sides) };
    }
    return { status: arrived > 0 ? "ok" : "current", error: undefined };
  }
}

function isDrastic({ kind }: Step): boolean {
  return kind === "rollback" || kind === "destroy";
}
