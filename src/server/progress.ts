import type { Stage } from "../targets/lease.ts";
import { formatDuration } from "../util/duration.ts";
import { printable } from "./refusal.ts";

/** What a stage is called in the terminal of who waits; undefined for one that takes no time. */
function wordsOf({ state, summary, machine = "the machine", waitingFor, unfit }: Stage): string | undefined {
  switch (state) {
    case "preparing":
      return waitingFor === undefined ? undefined : `waiting for ${waitingFor}`;
    case "launching":
      return `starting ${summary}`;
    case "booting":
      return `${machine} boots`;
    case "attaching":
      return `${machine} runs, its volumes are being attached`;
    case "probing":
      return `${machine} has what it needs, waiting until it answers`;
    case "stopping":
      return `${machine}, the one before, is being ended`;
    case "failed":
      return "the last starts failed, so the next one waits a little";
    case "ready":
      return unfit === undefined ? undefined : `${machine} takes no new connections now: ${unfit}`;
    default:
      return undefined;
  }
}

/** Lines about a start, for one who waits: one for each stage, and one now and then when a stage takes long. */
export interface Progress {
  stage(stage: Stage): void;
  /** Called now and then. */
  tick(): void;
  /** The last line, when there was one before. */
  ready(): void;
}

/** @param now Milliseconds. */
export function createProgress(target: string, now: () => number, say: (line: string) => void): Progress {
  const since = now();
  let last: string | undefined;
  let waitingFor: string | undefined;
  const line = (text: string) => say(`lazyssh: ${printable(`${target}: ${text}`, 500)}`);
  const elapsed = () => formatDuration(now() - since);
  return {
    stage(stage) {
      ({ waitingFor } = stage);
      const words = wordsOf(stage);
      if (words === undefined || words === last) return;
      last = words;
      line(now() - since < 1_000 ? words : `${words} (${elapsed()})`);
    },
    tick() {
      if (last !== undefined)
        line(`still waiting${waitingFor === undefined ? "" : ` for: ${waitingFor}`} (${elapsed()})`);
    },
    ready() {
      if (last !== undefined) line(`ready in ${elapsed()}`);
    },
  };
}
