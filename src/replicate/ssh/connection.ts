import { spawn } from "node:child_process";
import type { Clock } from "../../util/clock.ts";
import { messageOf } from "../../util/errors.ts";
import type { Ran } from "../side.ts";
import { APART, closed, endGroup } from "./run.ts";
import { Shell } from "./shell.ts";

/**
 * One `ssh` that stays, with a shell at its other end: it lasts as long as its input is open. So it ends by itself when we do, however that
 * happens, and never keeps a machine for nobody.
 */
export interface Connection {
  /** Resolves with `up` when a command has run there, or with the status when `ssh` has ended before. */
  readonly first: Promise<"up" | ConnectionEnd>;
  readonly ended: Promise<ConnectionEnd>;
  /** What `ssh` has said. */
  stderr(): string;
  /** Runs it in the shell; see {@link Shell.run}. */
  run(argv: readonly string[], signal: AbortSignal): Promise<Ran | undefined>;
  /** Lets it go, and ends it when it has not gone within two seconds. */
  close(): Promise<void>;
  /** Ends it now. */
  kill(): Promise<void>;
}

export interface ConnectionEnd {
  /** Undefined when a signal ended it, or when it could not be started. */
  readonly status: number | undefined;
}

const PATIENCE_MS = 2_000;

/** Starts it. `argv` runs {@link SHELL}. */
export function connect(argv: readonly string[], env: NodeJS.ProcessEnv, clock: Clock): Connection {
  const [program = "", ...args] = argv;
  const child = spawn(program, args, { ...APART, env, stdio: ["pipe", "pipe", "pipe"] });
  const { stdin, stdout, stderr } = child;
  let failure = "";
  const ended: Promise<ConnectionEnd> = closed(child, program, clock).then(
    ([status]) => ({ status: status ?? undefined }),
    (error: unknown) => {
      failure = messageOf(error);
      return { status: undefined };
    },
  );
  const kill = async () => {
    stdin.destroy();
    await endGroup(child, clock);
    await ended;
  };
  const shell = new Shell({ stdin, stdout, stderr, ended, kill }, clock);
  const never = new AbortController().signal;
  // What a login shell prints at its start stands before the first answer, and goes with it.
  const up = shell
    .run(["true"], never)
    .then<"up" | ConnectionEnd>((ran) => (ran?.status === 0 ? "up" : ended));
  return {
    first: Promise.race([up, ended]),
    ended,
    stderr: () => shell.unasked || failure,
    run: (command, signal) => shell.run(command, signal),
    async close() {
      stdin.end();
      const enough = new AbortController();
      await Promise.race([ended, clock.sleep(PATIENCE_MS, enough.signal).catch(() => undefined)]);
      enough.abort();
      await kill();
    },
    kill,
  };
}
