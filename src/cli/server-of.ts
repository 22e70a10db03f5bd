import { resolve } from "node:path";
import type { Outcome } from "../report/outcome.ts";
import { chooseStateDir, stateDirOf } from "../targets/index.ts";
import { asLazysshError, LazysshError } from "../util/errors.ts";
import { readConfig } from "./config.ts";
import { type CliContext, exitCodes } from "./context.ts";
import type { ServerFlags } from "./flags.ts";

/**
 * Does something with the running server that is meant, and sets the exit code: what `work` answers, or that of its error,
 * which is told on standard error.
 */
export async function withServer(
  context: CliContext,
  flags: ServerFlags,
  work: (stateDir: string) => Promise<number>,
): Promise<void> {
  const stateDir = await stateDirFor(context, flags);
  context.process.exitCode =
    stateDir === undefined ? exitCodes.usage : await work(stateDir).catch((cause) => told(context, cause));
}

/** The config file is not needed where the folder is said, and may be broken just then; without, it decides as it does for the server. */
async function stateDirFor(context: CliContext, flags: ServerFlags): Promise<string | undefined> {
  if (flags.stateDir) return resolve(flags.stateDir);
  const config = await readConfig(context, flags);
  if (!config) return undefined;
  const choice = chooseStateDir({ flag: undefined, config: config.server.stateDir }, context.env);
  return (await stateDirOf(choice, config.file)).path;
}

function told({ stderr }: CliContext, cause: unknown): number {
  const error = asLazysshError(cause);
  stderr.write(`lazyssh: ${error.message}\n`);
  if (error.code === "CONNECT_FAILED" && isAbsent(error)) {
    stderr.write(
      "Name another one with --state-dir, or the config file with -c. What runs in the cloud without a server is shown by\n" +
        "lazyssh sweep --dry-run, and ended by lazyssh sweep.\n",
    );
  }
  return error.code === "UNKNOWN_TARGET" ? exitCodes.usage : exitCodes.failed;
}

function isAbsent({ cause }: LazysshError): boolean {
  return ["ENOENT", "ECONNREFUSED"].includes((cause as NodeJS.ErrnoException | undefined)?.code ?? "");
}

/** Writes it, and answers the exit code. */
export function tell({ stdout, stderr }: CliContext, { out, err, done }: Outcome): number {
  for (const line of out) stdout.write(`${line}\n`);
  for (const line of err) stderr.write(`${line}\n`);
  return done ? exitCodes.ok : exitCodes.failed;
}

/** What is answered at once, if at all: the server itself waits at most 10 s for the cloud. */
export const ANSWER_MS = 30_000;

export function tooLate(): LazysshError {
  return new LazysshError("NOT_READY", "the server did not answer within 30 s");
}
