import { formatBytes } from "../../util/bytes.ts";
import type { Clock } from "../../util/clock.ts";
import { formatDuration } from "../../util/duration.ts";
import { createSpeed } from "./speed.ts";

/** Where progress is shown: `process.stderr`, or what stands for it. */
export interface ProgressOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export interface ProgressOptions {
  readonly output: ProgressOutput;
  readonly clock: Clock;
  /** The dataset. */
  readonly label: string;
  /** An estimate, which may be exceeded. */
  readonly totalBytes?: number | undefined;
}

export interface Progress {
  /** May be called as often as one likes; `bytes` is the sum so far. */
  update(bytes: number): void;
  /** Leaves the last state standing on a terminal. */
  done(): void;
}

const REDRAW_MS = 100;
const LINE_MS = 60_000;
const DEFAULT_COLUMNS = 80;
const BAR = { least: 10, most: 30 };

/** One line that is rewritten on a terminal, one line a minute elsewhere. */
export function createProgress({ output, clock, label, totalBytes }: ProgressOptions): Progress {
  const started = clock.now();
  const speed = createSpeed(started);
  const tty = output.isTTY === true;
  let shown = tty ? Number.NEGATIVE_INFINITY : started;
  let latest: State = { bytes: 0, total: totalBytes, rate: 0 };
  const draw = () => output.write(`\r${barLine(label, latest, output.columns ?? DEFAULT_COLUMNS)}\u001b[K`);
  return {
    update(bytes) {
      const now = clock.now();
      latest = { bytes, total: totalBytes, rate: speed.at(bytes, now) };
      // A clock that was set back must not silence it.
      if (now >= shown && now - shown < (tty ? REDRAW_MS : LINE_MS)) return;
      shown = now;
      if (tty) draw();
      else output.write(`${plainLine(label, latest)}\n`);
    },
    done() {
      if (!tty || shown === Number.NEGATIVE_INFINITY) return;
      draw();
      output.write("\n");
    },
  };
}

interface State {
  readonly bytes: number;
  readonly total: number | undefined;
  /** Bytes a second. */
  readonly rate: number;
}

/** "rpool/safe: 1.2 GiB of 3.4 GiB (35 %), 21.3 MiB/s, 1m42s left". */
function plainLine(label: string, state: State): string {
  return `${label}: ${[amount(state), rate(state), left(state)].filter(Boolean).join(", ")}`;
}

/** The same, with a bar where there is room for one; never wider than the terminal, so that it does not wrap. */
function barLine(label: string, state: State, columns: number): string {
  const line = plainLine(label, state);
  // The last column is left free: some terminals wrap when it is written to.
  const room = columns - 1;
  const width = Math.min(room - line.length - 3, BAR.most);
  if (state.total === undefined || width < BAR.least) return line.slice(0, Math.max(room, 0));
  const filled = Math.floor((percent(state.bytes, state.total) / 100) * width);
  return `${line} [${"#".repeat(filled)}${"-".repeat(width - filled)}]`;
}

function amount({ bytes, total }: State): string {
  if (!total) return formatBytes(bytes);
  return `${formatBytes(bytes)} of ${formatBytes(total)} (${percent(bytes, total)} %)`;
}

function rate(state: State): string {
  return `${formatBytes(state.rate)}/s`;
}

function left({ bytes, total, rate }: State): string | undefined {
  if (total === undefined || rate <= 0 || bytes >= total) return undefined;
  return `${formatDuration(Math.ceil((total - bytes) / rate) * 1_000)} left`;
}

function percent(bytes: number, total: number): number {
  return total <= 0 ? 100 : Math.min(Math.floor((bytes / total) * 100), 100);
}
