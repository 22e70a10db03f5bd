import { toJsonLine } from "../replicate/report/json.ts";
import { historyTable } from "../replicate/report/text.ts";
import { messageOf } from "../util/errors.ts";
import { type CliContext, exitCodes } from "./context.ts";
import type { HistoryFlags } from "./replicate.ts";
import { knownStateOf } from "./replicate-state.ts";

export async function history(this: CliContext, flags: HistoryFlags, job?: string): Promise<void> {
  const { stdout, stderr } = this;
  const state = knownStateOf(this, flags.stateDir);
  this.process.exitCode = exitCodes.usage;
  try {
    const known = await state.jobs();
    if (job !== undefined && !known.includes(job)) {
      const others = known.length === 0 ? "it knows of none" : `it knows of ${known.join(", ")}`;
      stderr.write(`lazyssh: nothing is known of a job "${job}" in ${state.path}: ${others}\n`);
      return;
    }
    if (known.length === 0) stderr.write(`lazyssh: no run is known in ${state.path}\n`);
    for (const name of job === undefined ? known : [job]) {
      const runs = await state.readHistory(name, flags.limit);
      if (flags.json) stdout.write(runs.map((run) => `${toJsonLine(run, {})}\n`).join(""));
      else stdout.write(`${job === undefined ? `${name}\n` : ""}${historyTable(runs)}`);
    }
    this.process.exitCode = exitCodes.ok;
  } catch (error) {
    stderr.write(`lazyssh: ${messageOf(error)}\n`);
  }
}
