import type { EventStream } from "../observe/index.ts";
import type { Clock } from "../util/clock.ts";
import type { Host } from "./host.ts";
import type { Notifier } from "./notifier.ts";

export interface SystemdOptions {
  readonly notifier: Notifier;
  readonly events: EventStream;
  readonly clock: Clock;
  readonly watchdogMs: number | undefined;
}

/** Keeps the service manager informed of a host, until its end. */
export interface Systemd {
  /** The host listens: it is ready. */
  started(host: Pick<Host, "healthy" | "status">): void;
  /** Ends it, and resolves when all is said. */
  close(): Promise<void>;
}

/** The status line is told this often at the most. */
const STATUS_MS = 2_000;
/** While machines are being stopped more time is asked for, again and again, but not for ever: a machine that is shut down itself must get there. */
const EXTEND_MS = 20_000;
const EXTEND_BY_MS = 60_000;
const EXTEND_FOR_MS = 3_600_000;

export function createSystemd({ notifier, events, clock, watchdogMs }: SystemdOptions): Systemd {
  const over = new AbortController();
  /** When machines began to be stopped. */
  let stoppingSince: number | undefined;
  let leaving = false;
  /** What is in the file is not what is in use. */
  let rejected = false;
  let said = "";
  let due = false;
  let tell: () => void = () => undefined;

  const every = async (ms: number, act: () => void): Promise<void> => {
    for (;;) {
      await clock.sleep(ms, over.signal);
      act();
    }
  };
  const forLong = (ms: number, act: () => void): void => void every(ms, act).catch(() => undefined);

  const leave = (): void => {
    if (leaving) return;
    leaving = true;
    const extend = `EXTEND_TIMEOUT_USEC=${EXTEND_BY_MS * 1_000}`;
    notifier.send("STOPPING=1", extend);
    forLong(EXTEND_MS, () => {
      if (stoppingSince === undefined || clock.now() - stoppingSince < EXTEND_FOR_MS) notifier.send(extend);
    });
  };

  const unsubscribe = events.subscribe((event) => {
    if (event.type === "config.reloading") notifier.send("RELOADING=1", `MONOTONIC_USEC=${monotonicUsec()}`);
    if (event.type === "config.reloaded" || event.type === "config.rejected") {
      rejected = event.type === "config.rejected";
      notifier.send("READY=1");
    }
    if (event.type === "server.stopping") stoppingSince = clock.now();
    if (event.type === "server.draining" || event.type === "server.stopping") leave();
    tell();
  });

  return {
    started(host) {
      said = host.status();
      notifier.send("READY=1", `STATUS=${said}`);
      tell = () => {
        if (due) return;
        due = true;
        clock.sleep(STATUS_MS, over.signal).then(
          () => {
            due = false;
            const status = rejected
              ? `${host.status()}; the config file is not valid, the one before is in use`
              : host.status();
            if (status !== said) notifier.send(`STATUS=${status}`);
            said = status;
          },
          () => undefined,
        );
      };
      if (watchdogMs === undefined) return;
      forLong(watchdogMs / 2, () => {
        if (host.healthy()) notifier.send("WATCHDOG=1");
      });
    },
    async close() {
      unsubscribe();
      over.abort("over");
      await notifier.settled();
    },
  };
}

/** CLOCK_MONOTONIC, by which systemd tells a reload before its SIGHUP from one after it. */
function monotonicUsec(): bigint {
  return process.hrtime.bigint() / 1_000n;
}
