import type { EventEmitter } from "node:events";
import { stayAlive } from "../util/clock.ts";
import type { Host } from "./host.ts";

export interface ServeOptions {
  readonly host: Pick<Host, "running" | "close" | "abandon">;
  /** Where signals come from: `process`. */
  readonly signals: Pick<EventEmitter, "on" | "off">;
  /** Called with what a person must know when the program is told twice to end. */
  readonly onAbandon: (machines: readonly string[]) => void;
}

/** SIGHUP too: a terminal that was closed must not leave machines behind. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Runs until told to end. The first signal stops all machines and ends with 0; a second one does not wait for them and
 * ends with 1, after having said what still runs.
 */
export async function serveUntilSignal({ host, signals, onAbandon }: ServeOptions): Promise<0 | 1> {
  // Once the listener is closed, nothing else keeps the process there while machines are being stopped.
  using _alive = stayAlive();
  let told = 0;
  return await new Promise<0 | 1>((resolve, reject) => {
    const tell = (signal: NodeJS.Signals) => {
      told += 1;
      if (told === 1) {
        host.close(signal).then(() => resolve(0), reject);
      } else if (told === 2) {
        onAbandon(host.running());
        host.abandon();
        resolve(1);
      }
    };
    for (const signal of SIGNALS) signals.on(signal, tell);
  });
}
