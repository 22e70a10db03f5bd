import { formatDuration } from "../../util/duration.ts";
import type { Exit, StageResult } from "./stage.ts";

/** What a pipeline fails of. `stage` is the index of the one to blame. */
export type Cause =
  | { readonly kind: "exit"; readonly stage: number }
  /** It could not take what it was sent. */
  | { readonly kind: "lost"; readonly stage: number; readonly why: string }
  /** It has exited, and something that it left behind keeps its output open. */
  | { readonly kind: "held"; readonly stage: number }
  | { readonly kind: "stalled"; readonly stage: number; readonly why: string; readonly ms: number }
  /** The stream is over, and it does not exit. */
  | { readonly kind: "late"; readonly stage: number; readonly ms: number };

export interface Ended {
  readonly result: StageResult;
  readonly exit: Exit | undefined;
}

const STDERR_LINES = 3;
const STDERR_CHARS = 400;

/** In words: what failed first and why, with what it said; then all others that did not end well. */
export function describeFailure(cause: Cause, stages: readonly Ended[]): string {
  const name = stages[cause.stage]?.result.name ?? "";
  const first = `${whatFailed(cause, name, stages[cause.stage]?.exit)}${said(stages[cause.stage]?.result)}`;
  const others = stages.flatMap(({ result, exit }, index) =>
    index === cause.stage || isSuccess(exit) ? [] : [`${result.name} ${howEnded(exit)}`],
  );
  // Whatever made a stage stall or never exit may be said by another one.
  const blameless = cause.kind === "stalled" || cause.kind === "late";
  const hints = blameless
    ? stages
        .filter((_, index) => index !== cause.stage)
        .map(hint)
        .join("")
    : "";
  return others.length === 0 ? `${first}${hints}` : `${first}${hints}; after that ${others.join(", ")}`;
}

function whatFailed(cause: Cause, name: string, exit: Exit | undefined): string {
  switch (cause.kind) {
    case "exit":
      return `${name} ${howEnded(exit)}`;
    case "lost":
      return `${name} ${cause.why}`;
    case "held":
      return `${name} exited, but a process that it left behind keeps its output open`;
    case "stalled":
      return `no byte has moved for ${formatDuration(cause.ms)}: ${name} ${cause.why}`;
    case "late":
      return `${name} did not exit within ${formatDuration(cause.ms)} after the end of the stream`;
  }
}

function howEnded(exit: Exit | undefined): string {
  if (exit === undefined) return "could not be ended, not even by SIGKILL";
  if (exit.kind === "absent") return `could not be started: ${exit.reason}`;
  if (exit.kind === "signal") return `was ended by ${exit.signal}`;
  return `exited with status ${exit.status}`;
}

function isSuccess(exit: Exit | undefined): boolean {
  return exit?.kind === "status" && exit.status === 0;
}

/** The end of what it said on stderr, on one line. */
function said(result: StageResult | undefined): string {
  const lines = (result?.stderr ?? "")
    .split(/[\r\n]+/)
    // Control characters would act on the terminal that it is shown on.
    .map((line) => line.replace(/\p{Cc}/gu, " ").trim())
    .filter((line) => line !== "");
  const words = lines.slice(-STDERR_LINES).join("; ");
  if (words === "") return "";
  return `: ${words.length > STDERR_CHARS ? `… ${words.slice(-STDERR_CHARS)}` : words}`;
}

function hint({ result }: Ended): string {
  const words = said(result);
  return words === "" ? "" : ` (${result.name}${words})`;
}
