import { closeSync } from "node:fs";
import { type Clock, stayAlive } from "../../util/clock.ts";
import { type Cause, describeFailure } from "./failure.ts";
import { makeLinks } from "./fifo.ts";
import { Joint } from "./joint.ts";
import { createRateLimit } from "./rate-limit.ts";
import { createSpeed } from "./speed.ts";
import { GRACE_MS, isBrokenPipe, type Stage, StageProcess, type StageResult, within } from "./stage.ts";

export type { Stage, StageResult } from "./stage.ts";

export interface PipelineOptions {
  /** Two or more; each reads what the one before it writes. */
  readonly stages: readonly Stage[];
  /** Index: bytes are counted and limited between this stage and the next. */
  readonly meterAfter: number;
  readonly clock: Clock;
  /** Ends all stages. */
  readonly signal: AbortSignal;
  /** For how long no byte may pass the meter before the end of the stream. */
  readonly stallMs: number;
  /** For how long nothing may move after it, until all stages have exited. Default: `stallMs`. */
  readonly endMs?: number | undefined;
  /** Bytes a second. */
  readonly rateLimit?: number | undefined;
  /** Some times a second, moved or not, and once at the end. */
  readonly onProgress?: ((progress: PipelineProgress) => void) | undefined;
  /** The whole environment of the stages. Default: this process's own. */
  readonly env?: NodeJS.ProcessEnv | undefined;
}

export interface PipelineProgress {
  /** Through the meter. */
  readonly bytes: number;
  /** Of the last ten seconds. */
  readonly bytesPerSecond: number;
  readonly elapsedMs: number;
}

export interface PipelineResult {
  /** All stages have exited with 0, and each has read all that the one before it has written. */
  readonly ok: boolean;
  /** Through the meter. */
  readonly bytes: number;
  readonly seconds: number;
  readonly stages: readonly StageResult[];
  /** What failed first and why, and all that failed after it. Undefined when `ok`. */
  readonly failure: string | undefined;
  /** It was ended because nothing moved. */
  readonly stalled: boolean;
}

const TICK_MS = 250;
/** When the first to fail had nobody to write to: for that one to be heard of. */
const SETTLE_MS = 500;

/**
 * Runs the stages to their end. Every exit status counts, and every byte: Node stands between all of them (about 0.3 s of
 * processor time for a GB and joint), so that no stage is told that its input has ended before all before it have
 * ended well. When one fails, those after it are ended with their input still open; those before it find nobody who
 * reads. No process is left when this returns. Only rejects with the reason of the signal, or when no pipe can be made.
 */
export async function runPipeline(options: PipelineOptions): Promise<PipelineResult> {
  const { stages, meterAfter, signal } = options;
  if (!Number.isInteger(meterAfter) || meterAfter < 0 || meterAfter > stages.length - 2) {
    throw new RangeError(`there is no place for the meter after stage ${meterAfter} of ${stages.length}`);
  }
  signal.throwIfAborted();
  // Once the processes have ended there are only sleeps to wait for.
  using _ = stayAlive();
  const started = options.clock.now();
  const links = await makeLinks(stages.length - 1);
  if (signal.aborted) {
    for (const link of links) for (const descriptor of Object.values(link)) closeSync(descriptor);
    throw signal.reason;
  }
  return await new Run(options, links, started).toEnd();
}

class Run {
  readonly #options: PipelineOptions;
  readonly #clock: Clock;
  readonly #started: number;
  readonly #stages: readonly StageProcess[];
  readonly #joints: readonly Joint[];
  readonly #meter: Joint;
  readonly #done = new AbortController();
  readonly #failed: Promise<undefined>;
  #fail: () => void = () => undefined;
  /** In the order in which they came to be known; none is added once the stages are being ended. */
  readonly #causes: Cause[] = [];
  #ending = false;

  constructor(options: PipelineOptions, links: Awaited<ReturnType<typeof makeLinks>>, started: number) {
    const { clock, stages, meterAfter, rateLimit, env = process.env } = options;
    this.#options = options;
    this.#clock = clock;
    this.#started = started;
    this.#failed = new Promise((resolve) => {
      this.#fail = () => resolve(undefined);
    });
    this.#stages = stages.map(
      (stage, index) =>
        new StageProcess(stage, { stdin: links[index - 1]?.stdin, stdout: links[index]?.stdout }, clock, env),
    );
    this.#joints = links.map((link, index) => {
      const limit = index === meterAfter && rateLimit ? createRateLimit(clock, rateLimit) : undefined;
      return new Joint(link, limit, (why) => this.#blame({ kind: "lost", stage: index + 1, why }));
    });
    // Checked by the caller of this.
    this.#meter = this.#joints[meterAfter] as Joint;
    for (const [index, stage] of this.#stages.entries()) {
      void stage.exited.then(() => this.#onExit(index));
      void Promise.all([stage.exited, this.#joints[index]?.drained]).then(() => stage.sweep());
    }
  }

  async toEnd(): Promise<PipelineResult> {
    const { signal } = this.#options;
    signal.addEventListener("abort", this.#fail, { once: true });
    void this.#watch();
    try {
      await Promise.race([this.#conduct(), this.#failed]);
    } finally {
      signal.removeEventListener("abort", this.#fail);
      this.#done.abort("done");
    }
    const complete = this.#isComplete;
    const aborted = signal.aborted && this.#causes.length === 0 && !complete;
    const cause = aborted || complete ? undefined : await this.#settledCause();
    await this.#endAll(aborted ? undefined : cause);
    if (aborted) throw signal.reason;
    this.#tellProgress(createSpeed(this.#started));
    return this.#result(cause);
  }

  /** Passes the end of the stream on, from stage to stage. */
  async #conduct(): Promise<void> {
    for (const [index, joint] of this.#joints.entries()) {
      await joint.drained;
      await this.#success(index);
      joint.finish();
    }
    await this.#success(this.#joints.length);
  }

  /** Never resolves when it fails: {@link #failed} does then. */
  async #success(index: number): Promise<void> {
    const stage = this.#stages[index];
    await stage?.exited;
    if (!stage?.succeeded) await new Promise(() => undefined);
  }

  get #isComplete(): boolean {
    return (
      this.#causes.length === 0 &&
      this.#stages.every((stage) => stage.succeeded) &&
      this.#joints.every((joint) => joint.finished && joint.read === joint.moved)
    );
  }

  #onExit(index: number): void {
    if (!this.#stages[index]?.succeeded) {
      this.#blame({ kind: "exit", stage: index });
      return;
    }
    this.#joints[index]?.sourceExited();
    const unread = this.#joints[index - 1]?.sinkExited() ?? 0;
    if (unread > 0) {
      this.#blame({
        kind: "lost",
        stage: index,
        why: "exited with status 0, but has not read all that it was sent",
      });
    }
  }

  #blame(cause: Cause): void {
    if (this.#ending) return;
    this.#causes.push(cause);
    this.#fail();
  }

  /** The first that did not merely lose its reader. */
  async #settledCause(): Promise<Cause> {
    const isRoot = (cause: Cause) => {
      const exit = this.#stages[cause.stage]?.exit;
      return cause.kind !== "exit" || exit === undefined || !isBrokenPipe(exit);
    };
    if (!this.#causes.some(isRoot)) {
      const others = this.#stages.filter((stage) => stage.exit === undefined).map((stage) => stage.exited);
      if (others.length > 0) await within(this.#clock, SETTLE_MS, Promise.race(others));
    }
    const incomplete: Cause = { kind: "lost", stage: this.#stages.length - 1, why: "has not got every byte" };
    return this.#causes.find(isRoot) ?? this.#causes[0] ?? incomplete;
  }

  async #endAll(cause: Cause | undefined): Promise<void> {
    this.#ending = true;
    // Only one that has failed by itself spares those before it.
    const gentle = cause && cause.kind !== "stalled" && cause.kind !== "late" ? cause.stage : 0;
    for (const joint of this.#joints) joint.abandon();
    for (const [index, joint] of this.#joints.entries()) {
      if (index + 1 < gentle) joint.close();
    }
    await Promise.all(this.#stages.map((stage, index) => stage.end(index < gentle ? GRACE_MS : 0)));
    for (const joint of this.#joints) joint.close();
  }

  async #result(cause: Cause | undefined): Promise<PipelineResult> {
    const stages = await Promise.all(this.#stages.map((stage) => stage.result()));
    const ended = stages.map((result, index) => ({ result, exit: this.#stages[index]?.exit }));
    return {
      ok: cause === undefined,
      bytes: this.#meter.moved,
      seconds: Math.max(this.#clock.now() - this.#started, 0) / 1_000,
      stages,
      failure: cause && describeFailure(cause, ended),
      stalled: cause?.kind === "stalled" || cause?.kind === "late",
    };
  }

  /** Looks for what does not move. It counts its own ticks, for the clock may be set. */
  async #watch(): Promise<void> {
    const { stallMs, endMs = stallMs } = this.#options;
    const tick = Math.max(Math.min(TICK_MS, stallMs / 10, endMs / 10), 10);
    const speed = createSpeed(this.#started);
    const held = this.#joints.map(() => ({ ms: 0, read: 0 }));
    let idle = 0;
    let seen = 0;
    let over = false;
    try {
      for (let last = this.#clock.now(); ; last = this.#clock.now()) {
        await this.#clock.sleep(tick, this.#done.signal);
        const passed = Math.min(Math.max(this.#clock.now() - last, tick), 2 * tick);
        this.#tellProgress(speed);
        const moved = this.#moved(this.#meter.finished);
        const still = moved === seen && over === this.#meter.finished && this.#meter.waiting !== "rate";
        idle = still ? idle + passed : 0;
        seen = moved;
        over = this.#meter.finished;
        if (!over && idle >= stallMs) this.#blame({ ...this.#whoStalls(), kind: "stalled", ms: stallMs });
        if (over && idle >= endMs) this.#blame({ kind: "late", stage: this.#firstAlive(), ms: endMs });
        this.#lookForHeld(held, passed);
      }
    } catch {
      // Done.
    }
  }

  /** What has moved at the meter, or anywhere. */
  #moved(anywhere: boolean): number {
    const joints = anywhere ? this.#joints : [this.#meter];
    return joints.reduce((sum, joint) => sum + joint.read + joint.moved, 0);
  }

  #firstAlive(): number {
    return Math.max(
      this.#stages.findIndex((stage) => stage.exit === undefined),
      0,
    );
  }

  /** Follows the wait from the meter to the stage that has work, and does not do it. */
  #whoStalls(): { readonly stage: number; readonly why: string } {
    let index = this.#options.meterAfter;
    if (this.#meter.waiting === "sink") {
      while (this.#joints[index + 1]?.waiting === "sink") index += 1;
      return { stage: index + 1, why: "does not take what it is sent" };
    }
    if (this.#meter.waiting === "nothing") {
      return { stage: this.#firstAlive(), why: "has written its last byte and does not exit" };
    }
    while (index > 0 && this.#joints[index - 1]?.waiting === "source") index -= 1;
    return { stage: index, why: "sends nothing" };
  }

  #lookForHeld(held: readonly { ms: number; read: number }[], passed: number): void {
    for (const [index, state] of held.entries()) {
      const joint = this.#joints[index];
      if (!joint || !this.#stages[index]?.succeeded) continue;
      state.ms = joint.waiting === "source" && joint.read === state.read ? state.ms + passed : 0;
      state.read = joint.read;
      if (state.ms >= GRACE_MS || joint.overrun) this.#blame({ kind: "held", stage: index });
    }
  }

  #tellProgress(speed: ReturnType<typeof createSpeed>): void {
    const now = this.#clock.now();
    const bytes = this.#meter.moved;
    this.#options.onProgress?.({
      bytes,
      bytesPerSecond: speed.at(bytes, now),
      elapsedMs: Math.max(now - this.#started, 0),
    });
  }
}
