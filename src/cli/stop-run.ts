import { askServer } from "../control/index.ts";
import { deadline } from "../util/deadline.ts";
import { type CliContext, exitCodes } from "./context.ts";
import { ago } from "./quantities.ts";
import { ANSWER_MS, tooLate, withServer } from "./server-of.ts";
import type { StopFlags } from "./stop.ts";

export async function stop(this: CliContext, { cut, ...flags }: StopFlags, target: string): Promise<void> {
  const { stdout, stderr, clock } = this;
  await withServer(this, flags, async (stateDir) => {
    using limit = deadline(clock, ANSWER_MS, tooLate);
    const { machines, kept } = await askServer(stateDir, { do: "stop", target, cut }, limit);
    for (const machine of machines) stdout.write(`${target}: ${machine} is being stopped\n`);
    if (kept.length === 0) {
      if (machines.length === 0) stdout.write(`${target} has no machine\n`);
      return exitCodes.ok;
    }
    const now = clock.now();
    const lines = kept.map(({ client, since, status }) => {
      const does = status === "held" ? "uses it since" : "waits for it since";
      return `  ${client} ${does} ${new Date(since).toISOString()} (${ago(now - since)})\n`;
    });
    stderr.write(
      `lazyssh: ${target} goes on, because connections need it:\n${[...new Set(lines)].join("")}` +
        `End them, too, with: lazyssh stop ${target} --cut\n`,
    );
    return exitCodes.failed;
  });
}
