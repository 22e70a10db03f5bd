import { LazysshError } from "../../util/errors.ts";
import type { Features } from "../model.ts";
import type { Step } from "../plan/steps.ts";

/** A step that is a stream. */
export type StreamStep = Extract<Step, { kind: "full" | "incremental" | "resume" }>;

export interface SendOptions {
  readonly zfs: string;
  readonly step: StreamStep;
  /** Of the side that sends, and of the one that receives. */
  readonly source: Features;
  readonly target: Features;
  /** As it is stored on disk. */
  readonly raw: boolean;
}

/**
 * `zfs send …` for a step. Blocks are sent as they are on disk where both sides can; properties are not sent. A resumed stream is made
 * as the interrupted one was: its token says how.
 *
 * @throws LazysshError `NOT_SUPPORTED` when it is to be raw and a side cannot, and for a token where there are none.
 */
export function sendArgv(options: SendOptions): string[] {
  return [options.zfs, "send", ...streamWords(options)];
}

/** The same with what {@link readEstimate} reads; undefined where the source cannot tell. */
export function estimateArgv(options: SendOptions): string[] | undefined {
  if (!options.source.estimate) return undefined;
  return [options.zfs, "send", "-n", "-P", ...streamWords(options)];
}

function streamWords({ step, source, target, raw }: SendOptions): string[] {
  if (step.kind === "resume") {
    if (source.resume && target.resume) return ["-t", step.token];
    throw unsupported(step.source, "an interrupted receive cannot go on");
  }
  return [...formFlags({ step, source, target, raw }), ...range(step)];
}

function formFlags({ step, source, target, raw }: Omit<SendOptions, "zfs">): string[] {
  if (raw) {
    if (source.raw && target.raw) return ["-w"];
    throw unsupported(step.source, "it cannot be sent raw");
  }
  const both = (feature: "compressed" | "largeBlocks" | "embedded", flag: string) =>
    source[feature] && target[feature] ? [flag] : [];
  return [...both("largeBlocks", "-L"), ...both("embedded", "-e"), ...both("compressed", "-c")];
}

function range(step: Exclude<StreamStep, { kind: "resume" }>): string[] {
  const last = `${step.source}@${step.snapshot.name}`;
  if (step.kind === "full") return [last];
  // What lies between a bookmark and a snapshot cannot be sent in one stream.
  if (step.base.kind === "bookmark") return ["-i", `${step.source}#${step.base.name}`, last];
  return [step.intermediates ? "-I" : "-i", `${step.source}@${step.base.name}`, last];
}

function unsupported(source: string, what: string): LazysshError {
  return new LazysshError(
    "NOT_SUPPORTED",
    `${source}: ${what}, because the zfs of one side does not know how; update it to OpenZFS 0.8 or newer`,
  );
}
