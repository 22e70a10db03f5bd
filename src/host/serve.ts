import { stayAlive } from "../util/clock.ts";
import type { Host } from "./host.ts";

export interface ServeOptions<H extends Stoppable> {
  /** Starts what is to be served. A signal that comes meanwhile counts. */
  readonly start: () => Promise<H>;
  /** Where signals come from: `process`. */
  readonly signals: Pick<NodeJS.EventEmitter, "on" | "off">;
  readonly onStarted: (host: H) => void;
  /** Called with what a person must know when the program is told twice to end. */
  readonly onAbandon: (host: H) => void;
}

export type Stoppable = Pick<Host, "running" | "close" | "abandon">;

/** SIGHUP too: a terminal that was closed must not leave machines behind. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Runs until told to end. The first signal stops all machines and ends with 0; a second one does not wait for them and
 * ends with 1, after having said what still runs.
 */
export async function serveUntilSignal<H extends Stoppable>(options: ServeOptions<H>): Promise<0 | 1> {
  // Once the listener is closed, nothing else keeps the process there while machines are being stopped.
  using _alive = stayAlive();
  using told = listen(options.signals);
  const host = await options.start();
  options.onStarted(host);
  const closed = host.close(await told.next()).then((): 0 => 0);
  const abandoned = told.next().then((): 1 => {
    options.onAbandon(host);
    host.abandon();
    return 1;
  });
  return await Promise.race([closed, abandoned]);
}

/** Signals in the order in which they come, from now on. */
function listen(signals: ServeOptions<Stoppable>["signals"]): Disposable & { next(): Promise<string> } {
  const come: string[] = [];
  const waiting: ((signal: string) => void)[] = [];
  const tell = (signal: string): void => {
    const waiter = waiting.shift();
    if (waiter) waiter(signal);
    else come.push(signal);
  };
  for (const signal of SIGNALS) signals.on(signal, tell);
  return {
    next: () =>
      new Promise((resolve) => {
        const signal = come.shift();
        if (signal === undefined) waiting.push(resolve);
        else resolve(signal);
      }),
    [Symbol.dispose]() {
      for (const signal of SIGNALS) signals.off(signal, tell);
    },
  };
}
