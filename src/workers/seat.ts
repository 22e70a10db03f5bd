import { type ChildProcess, fork } from "node:child_process";
import type { SocketHandle } from "node:net";
import type { Clock } from "../util/clock.ts";
import { deadline, unlessAborted } from "../util/deadline.ts";
import { LazysshError } from "../util/errors.ts";
import { errorFromWire, type ToOwner, type ToWorker } from "./messages.ts";

export interface SeatOptions {
  readonly program: URL;
  readonly clock: Clock;
  /** What a new worker is told first. */
  readonly begin: () => ToWorker;
  readonly onReady: () => void;
  readonly onMessage: (message: ToOwner) => void;
  /** It had been ready, and has ended: nothing comes of it any more. */
  readonly onEnded: (end: End) => void;
  /** Another one could not be started, and it will be tried again. */
  readonly onTrouble: (error: unknown) => void;
}

export interface End {
  readonly pid: number;
  /** "was killed by SIGKILL". */
  readonly how: string;
}

/** The place of one worker, which is filled again when that ends. */
export interface Seat {
  /** Whether a worker is here that can take clients. */
  readonly ready: boolean;
  /** Resolves when the first worker is ready. @throws LazysshError when it cannot be. */
  start(): Promise<void>;
  /** Says it to the worker that is here; without one it is lost. With a handle, `onFailed` is called if it cannot be sent. */
  send(message: ToWorker, handle?: SocketHandle, onFailed?: () => void): void;
  /** No other one is started. */
  stop(): void;
  /** Resolves when no worker is here; after `ms` it is killed. */
  close(ms: number): Promise<void>;
}

const START_MS = 30_000;
/** After a worker's end, doubled each time until one has lived for a while. */
const PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
const STABLE_MS = 60_000;
/**
 * A worker that says nothing so often in a row hangs, and is killed: what it has is the machines of its clients. Counted, not timed, so that a
 * computer that slept kills none.
 */
const PING_MS = 5_000;
const MOST_SILENT = 6;
const HUNG = `did not answer for ${(PING_MS * MOST_SILENT) / 1_000} s and was killed`;

export function createSeat(options: SeatOptions): Seat {
  const { program, clock, begin, onReady, onMessage, onEnded, onTrouble } = options;
  const stopped = new AbortController();
  let child: ChildProcess | undefined;
  let ready = false;
  let emptied: Promise<unknown> = Promise.resolve();

  /** Resolves when it is ready. */
  const launch = async (): Promise<{ readonly ended: Promise<unknown> }> => {
    const worker = fork(program, {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      serialization: "advanced",
    });
    child = worker;
    // A failing `send` is told to whoever sends, or means that the process ends.
    worker.on("error", () => undefined);
    const ended = endOf(worker);
    emptied = ended;
    const up = new Promise<void>((resolve, reject) => {
      worker.on("message", (message) => {
        const told = message as ToOwner;
        if (told.type === "ready") resolve();
        else if (told.type === "unable") reject(errorFromWire(told.error));
        else onMessage(told);
      });
      void ended.then(({ how }) =>
        reject(new LazysshError("INTERNAL", `a worker ${how} before it was ready`)),
      );
    });
    worker.send(begin(), () => undefined);
    const late = () => new LazysshError("INTERNAL", "a worker was not ready within 30 s");
    using limit = deadline(clock, START_MS, late);
    try {
      await unlessAborted(limit.signal, up);
    } catch (error) {
      worker.kill("SIGKILL");
      await ended;
      child = undefined;
      throw error;
    }
    ready = true;
    onReady();
    const watched = watch(worker);
    const over = ended.then((end) => {
      ready = false;
      child = undefined;
      onEnded(watched.hung ? { ...end, how: HUNG } : end);
    });
    return { ended: over };
  };

  const watch = (worker: ChildProcess): { readonly hung: boolean } => {
    const found = { hung: false };
    const gone = new AbortController();
    let silent = 0;
    worker.on("message", () => {
      silent = 0;
    });
    worker.once("exit", () => gone.abort("it has ended"));
    const look = async (): Promise<void> => {
      for (; silent < MOST_SILENT; silent++) {
        worker.send({ type: "ping" } satisfies ToWorker, () => undefined);
        await clock.sleep(PING_MS, gone.signal);
      }
      found.hung = true;
      worker.kill("SIGKILL");
    };
    look().catch(() => undefined);
    return found;
  };

  const refill = async (first: Promise<unknown>): Promise<void> => {
    let pause = PAUSE_MS;
    let since = clock.now();
    await first;
    while (!stopped.signal.aborted) {
      if (clock.now() - since > STABLE_MS) pause = PAUSE_MS;
      await clock.sleep(pause, stopped.signal);
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
      since = clock.now();
      try {
        const { ended } = await launch();
        await ended;
      } catch (error) {
        if (!stopped.signal.aborted) onTrouble(error);
      }
    }
  };

  return {
    get ready() {
      return ready;
    },
    async start() {
      const { ended } = await launch();
      void refill(ended).catch(() => undefined);
    },
    send(message, handle, onFailed = () => undefined) {
      if (!child?.connected) return onFailed();
      child.send(message, handle, (error) => error && onFailed());
    },
    stop: () => stopped.abort("the end"),
    async close(ms) {
      stopped.abort("the end");
      using limit = deadline(clock, ms, () => "too late");
      limit.signal.addEventListener("abort", () => child?.kill("SIGKILL"));
      await emptied;
    },
  };
}

/** When it has ended, and all that it said has been heard. */
function endOf(worker: ChildProcess): Promise<End> {
  return new Promise((resolve) => {
    let how: string | undefined;
    const look = (): void => {
      if (how !== undefined && !worker.connected) resolve({ pid: worker.pid ?? 0, how });
    };
    worker.once("exit", (code, signal) => {
      how = signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`;
      look();
    });
    worker.once("error", (error) => {
      if (worker.pid === undefined) how = `could not be started (${error.message})`;
      look();
    });
    worker.once("disconnect", () => {
      // Without a channel it is of no use.
      if (how === undefined) worker.kill("SIGKILL");
      look();
    });
  });
}
