import { closeSync, readSync } from "node:fs";
import { Socket } from "node:net";
import type { Link } from "./fifo.ts";
import type { RateLimit } from "./rate-limit.ts";

/** What a joint is waiting for. */
export type Waiting = "source" | "sink" | "rate" | "nothing";

/** Bytes on their way to a stage, beside those in the pipes of the kernel. */
const MOST_QUEUED = 1024 * 1024;
/** The most that a pipe of the kernel holds, unless root says otherwise. */
const PIPE_BYTES = 1024 * 1024;

/**
 * Carries bytes from one stage to the next. The end of the stream is not carried on: `finish()` does that, and is called
 * only when it is known that the stage before has ended well. Without it a compressor would close its frame properly
 * over half a stream, and what arrives would look whole.
 */
export class Joint {
  /** Bytes taken from the stage before, and bytes that are in the pipe to the stage after. */
  read = 0;
  moved = 0;
  /** Resolves when the stage before has closed its output and all of it has been written on. Never rejects. */
  readonly drained: Promise<void>;
  finished = false;
  readonly #source: Socket;
  readonly #sink: Socket;
  /** With it what the stage after has left unread is found, and no write fails before that one has exited. */
  readonly #rest: number;
  readonly #limit: RateLimit | undefined;
  readonly #onLost: (why: string) => void;
  readonly #stop = new AbortController();
  #drain: () => void = () => undefined;
  #ended = false;
  #limiting = false;
  #sinkGone = false;
  #closed = false;
  /** `read` when the stage before had exited; undefined while it runs. */
  #readAtExit: number | undefined;

  /** Its three descriptors are closed here. `onLost` is told when bytes can not be carried on. */
  constructor(ends: Link, limit: RateLimit | undefined, onLost: (why: string) => void) {
    this.drained = new Promise((resolve) => {
      this.#drain = resolve;
    });
    this.#limit = limit;
    this.#onLost = onLost;
    this.#rest = ends.rest;
    this.#sink = new Socket({ fd: ends.sink, readable: false, writable: true });
    this.#sink.on("error", (error) => this.#lost(`could not be written to: ${error.message}`));
    this.#source = new Socket({ fd: ends.source, readable: true, writable: false });
    this.#source.on("error", (error) =>
      this.#lost(`what was to be passed to it could not be read: ${error.message}`),
    );
    this.#source.on("data", (chunk: Buffer) => this.#take(chunk));
    this.#source.once("end", () => {
      this.#ended = true;
      this.#settle();
    });
  }

  get waiting(): Waiting {
    if (this.#limiting) return "rate";
    if (this.#ended) return this.moved < this.read ? "sink" : "nothing";
    return this.#sink.writableLength > 0 ? "sink" : "source";
  }

  /** The end of the stream, for the stage after it. Only once {@link drained}. */
  finish(): void {
    this.finished = true;
    // Not `end()`: that would be a shutdown, which pipes do not have.
    this.#sink.destroy();
  }

  /** The stage before has exited. What is in the pipe is all that may come. */
  sourceExited(): void {
    this.#readAtExit = this.read;
  }

  /** More comes than can be its own, of a stage that has exited. */
  get overrun(): boolean {
    return this.#readAtExit !== undefined && this.read - this.#readAtExit > PIPE_BYTES;
  }

  /** The stage after has exited. Tells how many bytes it has left unread of those that it was sent. */
  sinkExited(): number {
    if (this.#sinkGone) return 0;
    const unread = this.read - this.moved + this.#takeRest();
    this.#sinkGone = true;
    return unread;
  }

  /** Nothing more is taken from the stage before; the stage after does not see an end. */
  abandon(): void {
    this.#closed = true;
    this.#stop.abort("abandoned");
    this.#source.destroy();
  }

  /** After {@link abandon}, and only when the stage after it has exited, or its own output goes nowhere. */
  close(): void {
    this.#sink.destroy();
    if (!this.#sinkGone) closeSync(this.#rest);
    this.#sinkGone = true;
  }

  #take(chunk: Buffer): void {
    this.read += chunk.length;
    if (this.#sinkGone) {
      this.#lost("exited with status 0, but more was to be sent to it");
    } else if (this.#limit) {
      void this.#writeSlowly(chunk, this.#limit);
    } else {
      this.#write(chunk);
      if (this.#sink.writableLength >= MOST_QUEUED) this.#source.pause();
    }
  }

  async #writeSlowly(chunk: Buffer, limit: RateLimit): Promise<void> {
    this.#source.pause();
    this.#limiting = true;
    try {
      for (let from = 0; from < chunk.length; from += limit.slice) {
        const slice = chunk.subarray(from, from + limit.slice);
        const wait = limit.take(slice.length, this.#stop.signal);
        if (wait) await wait;
        this.#write(slice);
      }
    } catch {
      // Abandoned while it waited.
      return;
    }
    this.#limiting = false;
    if (this.#sink.writableLength < MOST_QUEUED) this.#source.resume();
    this.#settle();
  }

  #write(chunk: Buffer): void {
    this.#sink.write(chunk, (error) => {
      if (error) return;
      this.moved += chunk.length;
      if (!this.#limiting && this.#source.isPaused() && this.#sink.writableLength < MOST_QUEUED / 2) {
        this.#source.resume();
      }
      this.#settle();
    });
  }

  #settle(): void {
    if (this.#ended && this.moved === this.read && !this.#closed) this.#drain();
  }

  #lost(why: string): void {
    // What is abandoned, or was sent to one that has exited, is accounted for.
    if (this.#closed || this.finished) return;
    this.#onLost(why);
  }

  /** Empties the pipe, and closes it. */
  #takeRest(): number {
    const buffer = Buffer.allocUnsafe(64 * 1024);
    let bytes = 0;
    try {
      for (let got = readSync(this.#rest, buffer); got > 0; got = readSync(this.#rest, buffer)) bytes += got;
    } catch {
      // EAGAIN: it is empty, and may still be written to.
    }
    closeSync(this.#rest);
    return bytes;
  }
}
