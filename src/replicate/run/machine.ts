import { deadline } from "../../util/deadline.ts";
import { formatDuration } from "../../util/duration.ts";
import type { Side } from "../side.ts";
import { openSession, type Session } from "../ssh/session.ts";
import type { RunOptions } from "./options.ts";

/** For a command that does nothing, when it is in doubt whether the machine still answers. */
const ANSWER_MS = 15_000;

/** The machine at the other end, for one run: booted once, or again when the connection to it was lost. */
export class Machine {
  /** The same through all connections. */
  readonly side: Side;
  readonly #options: Pick<RunOptions, "job" | "clock" | "env" | "say">;
  #session: Session | undefined;
  #bootMs: number | undefined;
  #askedAt: number | undefined;
  #machineMs: number | undefined;

  constructor(options: Pick<RunOptions, "job" | "clock" | "env" | "say">) {
    this.#options = options;
    this.side = {
      name: options.job.target,
      remote: true,
      command: (argv) => this.#connected.side.command(argv),
      run: (argv, runOptions) => this.#connected.side.run(argv, runOptions),
    };
  }

  /** Why there is no connection any more; undefined while there is one, as far as is known. */
  get loss(): unknown {
    return this.#session?.lost.aborted ? this.#session.lost.reason : undefined;
  }

  /** All boots together; undefined when none was asked for. */
  get bootSeconds(): number | undefined {
    return inSeconds(this.#bootMs);
  }

  get machineSeconds(): number | undefined {
    if (this.#askedAt === undefined) return inSeconds(this.#machineMs);
    return inSeconds((this.#machineMs ?? 0) + this.#options.clock.now() - this.#askedAt);
  }

  /** There is a connection, as far as is known. */
  get isThere(): boolean {
    return this.#session?.lost.aborted === false;
  }

  /** Resolves when streams can be sent: before that, commands can be run. */
  async settled(): Promise<void> {
    await this.#session?.settled;
  }

  /** @throws SshError when it does not come, or the signal's reason. */
  async connect(signal: AbortSignal): Promise<void> {
    const { job, clock, env, say } = this.#options;
    say(`connecting to ${job.target}, which boots it if it is not up`);
    const started = clock.now();
    this.#askedAt ??= started;
    try {
      this.#session = await openSession({
        ...{ ssh: job.ssh, target: job.target, clock, signal, env },
        bootTimeoutMs: job.bootTimeoutMs,
      });
    } finally {
      this.#bootMs = (this.#bootMs ?? 0) + clock.now() - started;
    }
    say(`${job.target} answered after ${((clock.now() - started) / 1000).toFixed(1)} s`);
  }

  /** After something went wrong: a new connection, unless the one that is there still works. Answers whether it is a new one. */
  async reconnect(signal: AbortSignal): Promise<boolean> {
    if (this.isThere && (await this.#answers(signal))) return false;
    await this.close();
    await this.connect(signal);
    await this.settled();
    return true;
  }

  /** Lets the machine go. Never rejects, may be called at any time. */
  async close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.close();
    if (this.#askedAt === undefined) return;
    this.#machineMs = (this.#machineMs ?? 0) + this.#options.clock.now() - this.#askedAt;
    this.#askedAt = undefined;
  }

  get #connected(): Session {
    if (!this.#session) throw new Error(`there is no connection to ${this.#options.job.target}`);
    return this.#session;
  }

  async #answers(signal: AbortSignal): Promise<boolean> {
    using limit = deadline(
      this.#options.clock,
      ANSWER_MS,
      () => new Error(`no answer within ${formatDuration(ANSWER_MS)}`),
      signal,
    );
    try {
      return (await this.#connected.side.run(["true"], { signal: limit.signal })).status === 0;
    } catch {
      signal.throwIfAborted();
      return false;
    }
  }
}

function inSeconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.max(ms, 0) / 1000;
}
