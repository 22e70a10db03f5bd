import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { Clock } from "../../util/clock.ts";
import { messageOf } from "../../util/errors.ts";
import { APART, closed, endGroup, tail } from "./run.ts";

/**
 * One `ssh` that stays: it says on its standard output when the session is there, and lasts as long as its input is open. So it ends
 * by itself when we do, however that happens, and never keeps a machine for nobody.
 */
export interface Connection {
  /** Resolves with `up` when the session is there, or with the status when `ssh` has ended before. */
  readonly first: Promise<"up" | ConnectionEnd>;
  readonly ended: Promise<ConnectionEnd>;
  stderr(): string;
  /** Lets it go, and ends it when it has not gone within two seconds. */
  close(): Promise<void>;
  /** Ends it now. */
  kill(): Promise<void>;
}

export interface ConnectionEnd {
  /** Undefined when a signal ended it, or when it could not be started. */
  readonly status: number | undefined;
}

const UP = "lazyssh: up";

/** Run there: `cat` ends when its input does. */
export const HOLD: readonly string[] = ["sh", "-c", `echo '${UP}'; exec cat >/dev/null`];

const PATIENCE_MS = 2_000;
const STDERR_TAIL = 64 * 2 ** 10;

/** Starts it. `argv` runs {@link HOLD}. */
export function connect(argv: readonly string[], env: NodeJS.ProcessEnv, clock: Clock): Connection {
  const [program = "", ...args] = argv;
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn(program, args, {
    ...APART,
    env,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const said = tail(STDERR_TAIL);
  child.stdin.on("error", () => undefined);
  child.stderr.on("data", said.add);
  let failure = "";
  const ended = closed(child, program, clock).then(
    ([status]) => ({ status: status ?? undefined }),
    (error: unknown) => {
      failure = messageOf(error);
      return { status: undefined };
    },
  );
  const up = new Promise<"up">((resolve) => {
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      // What a shell prints at its start may stand before it.
      text = (text + chunk.toString()).slice(-4_096);
      if (text.includes(UP)) resolve("up");
    });
  });
  const kill = async () => {
    child.stdin.destroy();
    await endGroup(child, clock);
    await ended;
  };
  return {
    first: Promise.race([up, ended]),
    ended,
    stderr: () => said.text() || failure,
    async close() {
      child.stdin.end();
      const enough = new AbortController();
      await Promise.race([ended, clock.sleep(PATIENCE_MS, enough.signal).catch(() => undefined)]);
      enough.abort();
      await kill();
    },
    kill,
  };
}
