import type { Dropped } from "../targets/by-hand.ts";
import { formatDuration } from "../util/duration.ts";
import { ago } from "./quantities.ts";
import { whoText } from "./who.ts";

/** What is said to who has asked for something to be done. */
export interface Outcome {
  /** Lines for standard output, and for standard error. */
  readonly out: readonly string[];
  readonly err: readonly string[];
  readonly done: boolean;
}

/**
 * A machine was started, and is kept.
 *
 * @param command How the one who asked calls the program: `lazyssh`, or `ssh lazyssh`.
 */
export function startedOutcome(target: string, forMs: number | undefined, command: string): Outcome {
  const until = forMs === undefined ? `until ${command} stop ${target}` : `for ${formatDuration(forMs)}`;
  return { out: [`${target} is ready, and is kept ${until}`], err: [], done: true };
}

/** What was given to `start` was taken back; connections may keep the machine. */
export function stoppedOutcome(
  target: string,
  { machines, kept }: Dropped,
  now: number,
  command: string,
): Outcome {
  const out = machines.map((machine) => `${target}: ${machine} is being stopped`);
  if (kept.length === 0) {
    return { out: machines.length === 0 ? [`${target} has no machine`] : out, err: [], done: true };
  }
  const lines = kept.map(({ since, status, ...who }) => {
    const does = status === "held" ? "uses it since" : "waits for it since";
    return `  ${whoText(who)} ${does} ${new Date(since).toISOString()} (${ago(now - since)})`;
  });
  return {
    out,
    err: [
      `lazyssh: ${target} goes on, because connections need it:`,
      ...new Set(lines),
      `End them, too, with: ${command} stop ${target} --cut`,
    ],
    done: false,
  };
}
