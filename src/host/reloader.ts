import { isDeepStrictEqual } from "node:util";
import type { Config, ConfigResult } from "../config/index.ts";
import type { EventStream } from "../observe/index.ts";
import type { Clock } from "../util/clock.ts";
import { messageOf } from "../util/errors.ts";
import type { Reloaded } from "./changes.ts";
import { createFileWatch, fingerprint, isOrdinary } from "./file-watch.ts";

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

export function createReloader({ load, first, apply, events, clock }: ReloaderOptions): Reloader {
  const file = first.files[0] ?? "";
  let files = first.files;
  let over = false;
  let working = Promise.resolve();

  const inTurn = (work: () => Promise<void>): void => {
    working = working.then(() => (over ? undefined : work())).catch(() => undefined);
  };

  const read = async (): Promise<void> => {
    if (!(await isOrdinary(file))) {
      const why = "it is not a file that could be read again, or it is gone";
      return void events.emit({ type: "config.rejected", file, problems: [`${file}: ${why}`] });
    }
    const { config, diagnostics, files: read } = await load();
    if (over) return;
    const problems = diagnostics.map(inWords);
    // One that does not read may be mended by any of those that the last good one depends on.
    files = config ? read : [...new Set([...read, ...files])];
    await watched.watch(files);
    if (!config) return void events.emit({ type: "config.rejected", file, problems });
    try {
      const reloaded = apply(config);
      for (const reason of problems) events.emit({ type: "server.warning", reason });
      events.emit({ type: "config.reloaded", file, ...reloaded });
    } catch (error) {
      events.emit({ type: "config.rejected", file, problems: [messageOf(error)] });
    }
  };

  /** Until what has been read is what is there. */
  const reload = async (why: "SIGHUP" | "file changed"): Promise<void> => {
    let before: readonly string[];
    do {
      before = files;
      known = fingerprint(before);
      await known;
      events.emit({ type: "config.reloading", file, why });
      await read();
    } while (!over && (await known) !== (await fingerprint(before)));
    known = fingerprint(files);
  };

  const look = async (): Promise<void> => {
    if ((await known) !== (await fingerprint(files))) await reload("file changed");
  };

  const watched = createFileWatch({ clock, onHint: () => inTurn(look) });
  let known = fingerprint(files);
  /** The start has taken a while, and nobody has watched. */
  inTurn(async () => {
    await watched.watch(files);
    known = fingerprint(files);
    await known;
    const { config } = (await isOrdinary(file)) ? await load() : first;
    if (!isDeepStrictEqual(config, first.config)) await reload("file changed");
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
