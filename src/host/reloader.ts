import { isDeepStrictEqual } from "node:util";
import type { Config, ConfigResult } from "../config/index.ts";
import type { EventStream } from "../observe/index.ts";
import type { Clock } from "../util/clock.ts";
import { messageOf } from "../util/errors.ts";
import type { Reloaded } from "./changes.ts";
import { createFileWatch, fingerprint, isGone, isOrdinary } from "./file-watch.ts";

export interface ReloaderOptions {
  /** Reads the config anew, as at the start. */
  readonly load: () => Promise<ConfigResult>;
  /** What was read at the start. */
  readonly first: ConfigResult;
  /** Has it take effect, as a whole or not at all: then it throws, and says why. */
  readonly apply: (config: Config) => Reloaded;
  readonly events: EventStream;
  readonly clock: Clock;
}

/** Has a running server follow its config file, and the files that the config reads. */
export interface Reloader extends Disposable {
  /** Reads it again, whether it has changed or not. */
  reload(): void;
}

/** Of files that never rest; those that are looked at later will do. */
const MOST_TRIES = 5;

export function createReloader({ load, first, apply, events, clock }: ReloaderOptions): Reloader {
  const file = first.files[0] ?? "";
  let files = first.files;
  let over = false;
  let known = "";
  let working = Promise.resolve();

  const inTurn = (work: () => Promise<void>): void => {
    working = working.then(() => (over ? undefined : work())).catch(() => undefined);
  };

  /** Reads until what has been read is what is there, of whatever files it turns out to depend on. */
  const settled = async (): Promise<ConfigResult> => {
    for (let tries = 1; ; tries++) {
      const before = files;
      await watched.watch(before);
      known = await fingerprint(before);
      const result = await load();
      // One that does not read may be mended by any of those that the last good one depends on.
      files = result.config ? result.files : [...new Set([...result.files, ...before])];
      const isSame = isDeepStrictEqual(files, before) && known === (await fingerprint(files));
      if (isSame || tries === MOST_TRIES) return result;
    }
  };

  const take = ({ config, diagnostics }: ConfigResult): void => {
    const problems = diagnostics.map(inWords);
    if (!config) {
      events.emit({ type: "config.rejected", file, problems });
      return;
    }
    try {
      const reloaded = apply(config);
      for (const reason of problems) events.emit({ type: "server.warning", reason });
      events.emit({ type: "config.reloaded", file, ...reloaded });
    } catch (error) {
      events.emit({ type: "config.rejected", file, problems: [messageOf(error)] });
    }
  };

  const reload = async (why: "SIGHUP" | "file changed"): Promise<void> => {
    events.emit({ type: "config.reloading", file, why });
    if (!(await isOrdinary(file))) {
      // Nobody may have watched yet when it went.
      if (await isGone(file)) await watched.watch(files);
      known = await fingerprint(files);
      // It may be back by now.
      if (!(await isOrdinary(file))) {
        const reason = `${file}: it is not a file that could be read again, or it is gone`;
        events.emit({ type: "config.rejected", file, problems: [reason] });
        return;
      }
    }
    const result = await settled();
    if (!over) take(result);
  };

  const look = async (): Promise<void> => {
    if (known !== (await fingerprint(files))) await reload("file changed");
  };

  const watched = createFileWatch({ clock, onHint: () => inTurn(look) });
  /** The start has taken a while, and nobody has watched. */
  inTurn(async () => {
    known = await fingerprint(files);
    if (!(await isOrdinary(file))) return (await isGone(file)) ? reload("file changed") : undefined;
    const result = await settled();
    if (over || isDeepStrictEqual(result.config, first.config)) return;
    events.emit({ type: "config.reloading", file, why: "file changed" });
    take(result);
  });

  return {
    reload: () => inTurn(() => reload("SIGHUP")),
    [Symbol.dispose]() {
      over = true;
      watched[Symbol.dispose]();
    },
  };
}

function inWords({ summary, detail, range }: ConfigResult["diagnostics"][number]): string {
  const where = range === undefined ? "" : `${range.filename} line ${range.start.line}: `;
  return `${where}${summary}: ${detail}`;
}
