import { formatBytes } from "../../util/bytes.ts";
import type { Dataset } from "../model.ts";
import type { Step } from "../plan/steps.ts";
import { destroyArgv, discardArgv, rollbackArgv } from "../zfs/change.ts";
import { readEstimate } from "../zfs/estimate.ts";
import { failureOf } from "../zfs/explain.ts";
import { listDatasets } from "../zfs/list.ts";
import { freeBytes } from "../zfs/pool.ts";
import { estimateArgv, type StreamStep } from "../zfs/send.ts";
import type { Context } from "./context.ts";
import { where } from "./ends.ts";
import { protect } from "./guard.ts";
import { holdForStep } from "./holds.ts";
import { isAsOnDisk, isRaw } from "./stages.ts";
import { type Transferred, transfer } from "./transfer.ts";
import { Trouble } from "./trouble.ts";
import { count } from "./words.ts";

/** Told of what has been done, also when the step fails after it. */
export interface StepWatch {
  readonly onSent: (sent: Pick<Transferred, "bytes" | "seconds">) => void;
  /** The target dataset as it is now. */
  readonly onSeen: (target: Dataset | undefined) => void;
  /** What is sent could not be held on the source. */
  readonly onUnheld: (why: string) => void;
}

/** Does one step, and looks whether it is done. @throws Trouble, or another error that says why not. */
export async function takeStep(
  context: Context,
  step: Step,
  source: Dataset,
  watch: StepWatch,
): Promise<void> {
  switch (step.kind) {
    case "discard":
      context.options.say(`${step.target}: an interrupted receive is given up, since ${step.reason}`);
      return change(context, step.target, discardArgv);
    case "rollback":
      context.options.say(
        `${step.target}: going back to @${step.snapshot}, which destroys ${count(step.destroys.length, "snapshot or bookmark")}, as allowed`,
      );
      return change(context, step.target, (zfs, target) => rollbackArgv(zfs, target, step.snapshot));
    case "destroy":
      context.options.say(`${step.target}: destroyed, as allowed`);
      return change(context, step.target, destroyArgv);
    default:
      return stream(context, step, source, watch);
  }
}

async function change(
  { ends, signal }: Context,
  dataset: string,
  argvOf: (zfs: string, dataset: string) => readonly string[],
): Promise<void> {
  const { side, zfs } = ends.target;
  const argv = argvOf(zfs, dataset);
  const ran = await side.run(argv, { signal });
  if (ran.status !== 0) throw failureOf(ran, { side, zfs, doing: argv.slice(1).join(" "), dataset });
}

async function stream(
  context: Context,
  step: StreamStep,
  source: Dataset,
  { onSent, onSeen, onUnheld }: StepWatch,
): Promise<void> {
  const { ends, signal } = context;
  const unheld = await holdForStep(context, step);
  if (unheld !== undefined) onUnheld(unheld);
  const estimate = await estimateOf(context, step, source);
  if (estimate !== undefined) await checkRoom(context, step, source, estimate);
  context.options.say(`${step.source}: ${streamWords(step, ends.target)}`);
  const sent = await transfer(context, { step, dataset: source }, estimate);
  onSent(sent);
  if (sent.trouble) throw sent.trouble;
  const { side, zfs, features } = ends.target;
  const [target] = (await listDatasets(side, zfs, step.target, { recursive: false, features, signal })) ?? [];
  onSeen(target);
  const lacking = await whatIsLacking(context, step, target);
  if (target && step.kind !== "incremental") {
    try {
      await protect(context, [step.target]);
    } catch (error) {
      throw lacking ?? error;
    }
  }
  if (lacking) throw lacking;
}

function streamWords(step: StreamStep, target: Context["ends"]["target"]): string {
  const to = `to ${step.target} ${where(target.side)}`;
  if (step.kind === "resume") return `going on with @${step.snapshot.name} ${to}`;
  if (step.kind === "full") return `sending @${step.snapshot.name} in full ${to}`;
  const mark = step.base.kind === "bookmark" ? "#" : "@";
  return `sending what is new since ${mark}${step.base.name}, ${count(step.snapshots.length, "snapshot")}, ${to}`;
}

/** Undefined where the source cannot tell. */
export async function estimateOf(
  { ends, job, signal }: Pick<Context, "ends" | "job" | "signal">,
  step: StreamStep,
  source: Pick<Dataset, "encrypted">,
): Promise<number | undefined> {
  const { side, zfs, features } = ends.source;
  const argv = estimateArgv({
    ...{ zfs, step, raw: isRaw(job, source) },
    source: features,
    target: ends.target.features,
  });
  if (!argv) return undefined;
  const { status, stdout, stderr } = await side.run(argv, { signal });
  return status === 0 ? readEstimate(`${stdout}\n${stderr}`) : undefined;
}

/** Only what is sent as it is on disk needs as much room there; of all else it is a guess. */
async function checkRoom(
  { ends, job, signal, warn }: Context,
  step: StreamStep,
  source: Dataset,
  bytes: number,
): Promise<void> {
  const { side, zfs } = ends.target;
  const above = step.kind === "full" ? step.target.slice(0, step.target.lastIndexOf("/")) : step.target;
  const free = await freeBytes(side, zfs, above || step.target, signal);
  if (bytes <= free) return;
  const words = `${step.target} ${where(side)} would need about ${formatBytes(bytes)}, and ${formatBytes(free)} are free`;
  if (isRaw(job, source) || isAsOnDisk(ends)) {
    throw new Trouble(
      `${words}; make room: fewer snapshots there (keep), a larger volume, or a larger quota (zfs list -o space)`,
      "none",
    );
  }
  warn(`${words}; it may still fit, if it is compressed there`);
}

/** Success is what can be read back. */
async function whatIsLacking(
  context: Context,
  step: StreamStep,
  target: Dataset | undefined,
): Promise<Trouble | undefined> {
  const arrived = new Set(target?.snapshots.map(({ guid }) => guid));
  const expected = step.kind === "incremental" ? step.snapshots : [step.snapshot];
  const missing = expected.filter(({ guid }) => !arrived.has(guid));
  if (missing.length === 0) return undefined;
  const { side, zfs, features } = context.ends.source;
  const { signal } = context;
  const [now] = (await listDatasets(side, zfs, step.source, { recursive: false, features, signal })) ?? [];
  const left = new Set(now?.snapshots.map(({ guid }) => guid));
  // One in between that was pruned before it was sent is no longer wanted.
  const lacking = missing.filter(({ guid }) => left.has(guid) || guid === step.snapshot.guid);
  if (lacking.length === 0) return undefined;
  const names = lacking.map(({ name }) => `@${name}`).join(", ");
  return new Trouble(
    `zfs recv ended well, but ${step.target} ${where(context.ends.target.side)} has no snapshot with the GUID of ${step.source}${names}; look at both sides (zfs get guid), and run the job again`,
    "none",
  );
}
