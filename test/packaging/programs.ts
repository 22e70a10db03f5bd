import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";

const runFile = promisify(execFile);

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/**
 * Runs a program to its end and returns what it printed on standard output.
 *
 * @throws Error with the command and everything it printed, when it fails or takes longer than `timeoutMs` (60 s).
 */
export async function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { cwd, env, timeoutMs = 60_000 } = options;
  try {
    const { stdout } = await runFile(program, [...args], {
      maxBuffer: 64 * 1024 * 1024,
      timeout: timeoutMs,
      env: { ...process.env, ...env },
      ...(cwd !== undefined && { cwd }),
    });
    return stdout;
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`${program} ${args.slice(0, 8).join(" ")} failed:\n${stdout}${stderr}`, { cause: error });
  }
}

/** For `requires`: the client alone builds nothing. */
export function dockerPrograms(): readonly [string, ...string[]] {
  const { status } = spawnSync("docker", ["version", "--format", "{{.Server.Version}}"], { timeout: 10_000 });
  return status === 0 ? ["docker"] : ["docker", "a Docker engine that answers"];
}
