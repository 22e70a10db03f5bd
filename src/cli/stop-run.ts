import { askServer } from "../control/index.ts";
import { stoppedOutcome } from "../report/outcome.ts";
import { deadline } from "../util/deadline.ts";
import type { CliContext } from "./context.ts";
import { ANSWER_MS, tell, tooLate, withServer } from "./server-of.ts";
import type { StopFlags } from "./stop.ts";

export async function stop(this: CliContext, { cut, ...flags }: StopFlags, target: string): Promise<void> {
  const { clock } = this;
  await withServer(this, flags, async (stateDir) => {
    using limit = deadline(clock, ANSWER_MS, tooLate);
    const dropped = await askServer(stateDir, { do: "stop", target, cut }, limit);
    return tell(this, stoppedOutcome(target, dropped, clock.now(), "lazyssh"));
  });
}
