import { type Clock, stayAlive } from "../util/clock.ts";
import type { Host } from "./host.ts";

export interface ServeOptions<H extends Stoppable> {
  /** Starts what is to be served. A signal that comes meanwhile counts. */
  readonly start: () => Promise<H>;
  /** Where signals come from: `process`. */
  readonly signals: Pick<NodeJS.EventEmitter, "on" | "off">;
  readonly onStarted: (host: H) => void;
  /** Called with what a person must know when the program is told to end, and then not to wait. */
  readonly onAbandon: (host: H) => void;
  /** What SIGHUP means. Undefined: the end. */
  readonly hangup?: Hangup | undefined;
}

export interface Hangup {
  readonly clock: Clock;
  readonly reload: () => void;
  /** Whether there is a terminal that a person may close. */
  readonly hasTerminal: () => boolean;
}

export type Stoppable = Pick<Host, "running" | "close" | "abandon"> & Partial<Pick<Host, "drain">>;

/** A shell tells its jobs before it ends, and only with its end is the terminal gone. */
const TERMINAL_MS = 1_000;

/**
 * Runs until told to end. SIGTERM lets the channels there are end first, for as long as `Host.drain` says; another signal cuts
 * that short. Then all machines are stopped, and the end is 0; a signal meanwhile does not wait for them, says what still runs, and ends with 1.
 */
export async function serveUntilSignal<H extends Stoppable>(options: ServeOptions<H>): Promise<0 | 1> {
  // Once the listener is closed, nothing else keeps the process there while machines are being stopped.
  using _alive = stayAlive();
  using told = listen(options.signals, options.hangup);
  const host = await options.start();
  options.onStarted(host);
  told.started();
  const signal = await told.next();
  let another = told.next();
  if (signal === "SIGTERM" && host.drain) {
    const hurry = new AbortController();
    const drained = host.drain(signal, hurry.signal).then(() => "drained");
    if ((await Promise.race([drained, another])) !== "drained") {
      hurry.abort("told twice to end");
      await drained;
      another = told.next();
    }
  }
  const closed = host.close(signal).then((): 0 => 0);
  const abandoned = another.then((): 1 => {
    options.onAbandon(host);
    host.abandon();
    return 1;
  });
  return await Promise.race([closed, abandoned]);
}

interface Told extends Disposable {
  /** The next signal to end. In the order in which they come. */
  next(): Promise<string>;
  /** What is served can be reloaded. */
  started(): void;
}

function listen(signals: ServeOptions<Stoppable>["signals"], hangup: Hangup | undefined): Told {
  const come: string[] = [];
  const waiting: ((signal: string) => void)[] = [];
  const attended = hangup?.hasTerminal() ?? false;
  const over = new AbortController();
  let ending = false;
  let reload: (() => void) | undefined;
  let asked = false;

  const end = (signal: string): void => {
    ending = true;
    const waiter = waiting.shift();
    if (waiter) waiter(signal);
    else come.push(signal);
  };

  const lookAgain = async ({ clock, hasTerminal }: Hangup, signal: string): Promise<void> => {
    await clock.sleep(TERMINAL_MS, over.signal);
    if (!ending && !hasTerminal()) end(signal);
  };

  /** A terminal that was closed must not leave machines behind; who has none, or still has it, wants the config read again. */
  const onHangup = (signal: string): void => {
    if (ending) return; // a terminal that is closed while machines are being stopped is no reason to leave them
    if (!hangup || (attended && !hangup.hasTerminal())) {
      end(signal);
      return;
    }
    asked = true;
    reload?.();
    if (attended) void lookAgain(hangup, signal).catch(() => undefined);
  };

  const handlers = { SIGINT: end, SIGTERM: end, SIGHUP: onHangup };
  for (const [signal, handler] of Object.entries(handlers)) signals.on(signal, handler);
  return {
    next: () =>
      new Promise((resolve) => {
        const signal = come.shift();
        if (signal === undefined) waiting.push(resolve);
        else resolve(signal);
      }),
    started() {
      reload = hangup?.reload;
      if (asked) reload?.();
    },
    [Symbol.dispose]() {
      over.abort("over");
      for (const [signal, handler] of Object.entries(handlers)) signals.off(signal, handler);
    },
  };
}
