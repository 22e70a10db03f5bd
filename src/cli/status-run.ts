import { askServer } from "../control/index.ts";
import { statusToJson } from "../report/status-json.ts";
import { renderStatus } from "../report/status-text.ts";
import { deadline } from "../util/deadline.ts";
import { type CliContext, exitCodes } from "./context.ts";
import { ANSWER_MS, tooLate, withServer } from "./server-of.ts";
import type { StatusFlags } from "./status.ts";

export async function status(this: CliContext, { json, volumes, ...flags }: StatusFlags): Promise<void> {
  const { stdout, clock } = this;
  await withServer(this, flags, async (stateDir) => {
    using limit = deadline(clock, ANSWER_MS, tooLate);
    const told = await askServer(stateDir, { do: "status", volumes }, limit);
    stdout.write(
      json
        ? `${JSON.stringify(statusToJson(told, clock.now()), undefined, 2)}\n`
        : renderStatus(told, clock.now()),
    );
    return exitCodes.ok;
  });
}
