import { parseDuration } from "../config/index.ts";
import { askServer } from "../control/index.ts";
import { startedOutcome } from "../report/outcome.ts";
import { type CliContext, exitCodes } from "./context.ts";
import { tell, withServer } from "./server-of.ts";
import type { StartFlags } from "./start.ts";

export async function start(this: CliContext, flags: StartFlags, target: string): Promise<void> {
  const { stderr } = this;
  const time = flags.for === undefined ? undefined : positive(flags.for);
  if (time !== undefined && "problem" in time) {
    stderr.write(`Failed to parse "${flags.for}" for --for: ${time.problem}\n`);
    this.process.exitCode = exitCodes.usage;
    return;
  }
  await withServer(this, flags, async (stateDir) => {
    await askServer(
      stateDir,
      { do: "start", target, forMs: time?.ms, lift: flags.lift },
      {
        // No deadline of our own: the server's boot_timeout is one, and who has had enough presses Ctrl-C.
        signal: new AbortController().signal,
        onWaiting: (what) => stderr.write(`${target}: ${what}\n`),
      },
    );
    return tell(this, startedOutcome(target, time?.ms, "lazyssh"));
  });
}

function positive(text: string): ReturnType<typeof parseDuration> {
  const time = parseDuration(text);
  return "ms" in time && time.ms <= 0 ? { problem: "It must be longer than nothing." } : time;
}
