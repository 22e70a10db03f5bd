import { randomUUID } from "node:crypto";
import { constants } from "node:os";
import type { Readable, Writable } from "node:stream";
import type { Clock } from "../../util/clock.ts";
import { quote } from "../../util/shell.ts";
import type { Ran } from "../side.ts";
import { head, type Kept, tail } from "./kept.ts";

/** A process whose input is read by a `sh`, here or elsewhere. */
export interface ShellProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when it has ended and was read to the end. Never rejects. */
  readonly ended: Promise<unknown>;
  /** Ends it now; resolves when it has ended. */
  kill(): Promise<void>;
}

/** Run there: it reads what to run from its input, and ends with that. */
export const SHELL: readonly string[] = ["sh"];

/** What is in the way is over by then, or takes long. */
const BUSY_MS = 250;

/**
 * One `sh` at the other end that runs one command after the other. A session of `ssh` for each of them takes 50 to 100 ms of a server
 * that forks, logs and starts a login shell; here it is the time of the command.
 *
 * After each command the shell prints a line that only we know on both of its outputs, and the status with it. What a command leaves in the
 * background could still print among the answers to others: it is for commands of our own.
 */
export class Shell {
  readonly #process: ShellProcess;
  readonly #clock: Clock;
  readonly #name = `lazyssh-${randomUUID()}`;
  readonly #unasked = tail();
  /** What the command that runs has said. */
  #said: Answer | undefined;
  #commands = 0;
  #over = false;
  /** The command that runs, to its end. */
  #turn: Promise<void> | undefined;

  constructor(process: ShellProcess, clock: Clock) {
    this.#process = process;
    this.#clock = clock;
    process.stdin.on("error", () => undefined);
    process.stderr.on("data", (chunk: Buffer) => {
      if (!this.#said) this.#unasked.add(chunk);
    });
    void process.ended.then(() => {
      this.#over = true;
    });
  }

  /** What the process has said on its standard error, without what commands have said that came to their end. */
  get unasked(): string {
    return this.#unasked.text() + (this.#said?.text() ?? "");
  }

  /**
   * Undefined when it cannot take it, and nothing was run: it has ended, or is busy for a quarter of a second. When it ends meanwhile, the
   * status is 255, as that of an `ssh` that has lost its connection, and what was said is in `stderr`.
   *
   * @throws the signal's reason; then the process has ended, too.
   * @throws LazysshError `RESOURCE_SHORTAGE` when it prints more than 64 MiB; likewise.
   */
  async run(argv: readonly string[], signal: AbortSignal): Promise<Ran | undefined> {
    const enough = new AbortController();
    const late = this.#clock
      .sleep(BUSY_MS, AbortSignal.any([enough.signal, signal]))
      .catch(() => undefined)
      .then(() => "late");
    // The last look and the turn that is taken are one step.
    while (this.#turn && (await Promise.race([this.#turn, late])) !== "late");
    enough.abort();
    signal.throwIfAborted();
    if (this.#turn || this.#over) return undefined;
    const running = this.#run(argv, signal);
    const over = () => {
      this.#turn = undefined;
    };
    this.#turn = running.then(over, over);
    return await running;
  }

  async #run(argv: readonly string[], signal: AbortSignal): Promise<Ran> {
    this.#commands += 1;
    const mark = `${this.#name}-${this.#commands}`;
    const { stdin, stdout, stderr, ended } = this.#process;
    const kill = () => void this.#process.kill();
    const all = head(kill);
    const out = new Answer(stdout, all, new RegExp(`\n${mark} (\\d+)\n`));
    const said = new Answer(stderr, tail(), new RegExp(`\n${mark}()\n`));
    this.#said = said;
    signal.addEventListener("abort", kill, { once: true });
    try {
      // In a shell of its own, so that nothing in it changes this one.
      const tell = `printf '\\n%s\\n' ${mark} >&2; printf '\\n%s %s\\n' ${mark} "$s"`;
      stdin.write(`( ${quote(argv)} ) </dev/null; s=$?; ${tell}\n`);
      await Promise.race([Promise.all([out.ended, said.ended]), ended]);
      const texts = { stdout: out.text(), stderr: said.text() };
      if (out.end !== undefined && said.end !== undefined) return { ...howEnded(Number(out.end)), ...texts };
      this.#unasked.add(Buffer.from(texts.stderr));
      signal.throwIfAborted();
      all.assertWhole(argv[0] ?? "");
      return { status: 255, signal: undefined, ...texts };
    } finally {
      signal.removeEventListener("abort", kill);
      out.stop();
      said.stop();
      this.#said = undefined;
    }
  }
}

/** A shell tells of a signal by 128 and its number. */
function howEnded(status: number): Pick<Ran, "status" | "signal"> {
  const names = Object.entries(constants.signals) as [NodeJS.Signals, number][];
  const signal = names.find(([, number]) => number === status - 128)?.[0];
  return { status: signal === undefined ? status : undefined, signal };
}

/** Longer than any. */
const MARK_SIZE = 128;

/** What comes on one output, until the line that is the end of it. */
class Answer {
  readonly ended: Promise<void>;
  /** What that line says; undefined before it has come. */
  end: string | undefined;
  readonly #stream: Readable;
  readonly #kept: Kept;
  readonly #mark: RegExp;
  #listen: (chunk: Buffer) => void = () => undefined;

  constructor(stream: Readable, kept: Kept, mark: RegExp) {
    this.#stream = stream;
    this.#kept = kept;
    this.#mark = mark;
    let last = "";
    this.ended = new Promise((resolve) => {
      this.#listen = (chunk) => {
        kept.add(chunk);
        const seen = last + chunk.toString("latin1");
        last = seen.slice(-MARK_SIZE);
        this.end ??= mark.exec(seen)?.[1];
        if (this.end !== undefined) resolve();
      };
    });
    stream.on("data", this.#listen);
  }

  /** Without what may stand after the mark, which `ssh` itself may have said. */
  text(): string {
    const text = this.#kept.text();
    const end = text.search(this.#mark);
    return end < 0 ? text : text.slice(0, end);
  }

  /** What still comes is nobody's. */
  stop(): void {
    this.#stream.off("data", this.#listen);
  }
}
