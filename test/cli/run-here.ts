import { EventEmitter } from "node:events";
import { runCli } from "../../src/cli/run.ts";

/** Runs `lazyssh` in this process: starting another takes longer than what is tested of arguments. */
export async function runHere(
  args: readonly string[],
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const said = { stdout: "", stderr: "" };
  const output = (name: keyof typeof said) => ({
    write(text: string) {
      said[name] += text;
    },
  });
  const world = Object.assign(new EventEmitter(), {
    ...{ stdout: output("stdout"), stderr: output("stderr"), env: process.env },
  }) as unknown as NodeJS.Process;
  const code = await runCli(args, world);
  return { code, ...said };
}
