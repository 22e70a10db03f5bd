import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeDurably } from "../../util/durable.ts";

/** How long machines have run, per target and day (UTC). It outlives the program, so that a restart does not make a new day. */
export interface Meter {
  /** From when the machine of a launch counts. Repeating it changes nothing. */
  begin(target: string, token: string, at: number): void;
  end(token: string, at: number): void;
  /** Milliseconds of machine time of a target today; several machines add up. */
  usedToday(target: string, now: number): number;
  /** Resolves when what was begun and ended is written down. */
  settled(): Promise<void>;
}

interface Record {
  /** Finished machine time, by target, of the day that began at `day`. */
  day: number;
  used: { [target: string]: number };
  /** Machines that run, by token. */
  open: { [token: string]: { target: string; since: number } };
}

const DAY_MS = 86_400_000;

function startOfDay(now: number): number {
  return Math.floor(now / DAY_MS) * DAY_MS;
}

export function endOfDay(now: number): number {
  return startOfDay(now) + DAY_MS;
}

/**
 * A meter, in memory, that tells what has changed.
 *
 * @param record What an earlier one told last.
 */
export function createMeter(
  record: Record = emptyRecord(),
  changed: (record: Record) => void = () => undefined,
): Meter {
  const state: Record = { day: record.day, used: { ...record.used }, open: { ...record.open } };

  /** A new day begins with nothing used. */
  const turn = (now: number): void => {
    const today = startOfDay(now);
    if (state.day === today) return;
    state.day = today;
    state.used = {};
  };

  return {
    begin(target, token, at) {
      if (state.open[token]) return;
      state.open[token] = { target, since: at };
      changed(state);
    },
    end(token, at) {
      const running = state.open[token];
      if (!running) return;
      turn(at);
      delete state.open[token];
      const since = Math.max(running.since, state.day);
      state.used[running.target] = (state.used[running.target] ?? 0) + Math.max(0, at - since);
      changed(state);
    },
    usedToday(target, now) {
      turn(now);
      const running = Object.values(state.open).filter((one) => one.target === target);
      const going = running.map(({ since }) => Math.max(0, now - Math.max(since, state.day)));
      return going.reduce((sum, ms) => sum + ms, state.used[target] ?? 0);
    },
    settled: async () => undefined,
  };
}

function emptyRecord(): Record {
  return { day: 0, used: {}, open: {} };
}

/**
 * A meter kept in `<stateDir>/usage.json`. A file that cannot be read counts as a day with nothing used; one that cannot be written
 * is told of, and machines go on: the budget is a limit of costs, and not one of the two promises.
 *
 * @param running Tokens of the machines that may run; what is open of others has ended without our seeing it.
 */
export async function openMeter(
  stateDir: string,
  running: ReadonlySet<string>,
  onProblem: (error: unknown) => void,
): Promise<Meter> {
  const file = join(stateDir, "usage.json");
  const record = parseRecord(await readFile(file, "utf8").catch(() => ""));
  for (const token of Object.keys(record.open)) if (!running.has(token)) delete record.open[token];
  let writing = Promise.resolve();
  const meter = createMeter(record, (state) => {
    const text = `${JSON.stringify(state)}\n`;
    writing = writing.then(() => writeDurably(file, text)).catch(onProblem);
  });
  return { ...meter, settled: () => writing };
}

function parseRecord(text: string): Record {
  try {
    const { day, used, open } = JSON.parse(text) as Partial<Record>;
    if (typeof day === "number" && used && open) return { day, used, open };
  } catch {
    // Nothing was written yet, or nothing that makes sense.
  }
  return emptyRecord();
}
