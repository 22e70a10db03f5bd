import { messageOf } from "../../util/errors.ts";
import { type PipelineResult, runPipeline } from "../pipeline/pipeline.ts";
import { createProgress } from "../pipeline/progress.ts";
import { connectionFailed, lostError } from "../ssh/failure.ts";
import { plainEnv } from "../ssh/run.ts";
import { remedyOf } from "../zfs/explain.ts";
import { propertiesRefused } from "../zfs/receive.ts";
import type { StreamStep } from "../zfs/send.ts";
import type { Context } from "./context.ts";
import { where } from "./ends.ts";
import { isPacked, type Route, stagesOf } from "./stages.ts";
import { cureOfWords, isModified, Trouble } from "./trouble.ts";

export interface Transferred {
  /** On the wire. */
  readonly bytes: number;
  readonly seconds: number;
  /** Undefined when every stage has ended well. */
  readonly trouble: Trouble | undefined;
}

/** Sends one stream. Rejects with the signal's reason, or when it cannot even be begun. */
export async function transfer(
  context: Context,
  route: Pick<Route, "step" | "dataset">,
  totalBytes: number | undefined,
): Promise<Transferred> {
  const { options, job, ends, signal, machine } = context;
  const { clock, env } = options;
  const [packed] = await Promise.all([
    isPacked({ ends, job, dataset: route.dataset }, route.step.source, signal),
    // Not before: what was asked until here needed no session beside the first.
    machine.settled(),
  ]);
  const { stages, meterAfter } = stagesOf({ ...route, ends, job, packed });
  const label = route.step.source;
  const progress = options.progress && createProgress({ output: options.progress, clock, label, totalBytes });
  try {
    const result = await runPipeline({
      ...{ stages, meterAfter, clock, signal, env: plainEnv(env) },
      stallMs: job.stallTimeoutMs,
      rateLimit: job.send.rateLimit,
      onProgress: progress && (({ bytes }) => progress.update(bytes)),
    });
    const { bytes, seconds } = result;
    return {
      bytes,
      seconds,
      trouble: result.ok ? refusedProperties(result, route) : troubleOf(context, result, route.step),
    };
  } finally {
    progress?.done();
  }
}

/** What is received is no use where it might be mounted over something. */
function refusedProperties(result: PipelineResult, { step }: Pick<Route, "step">): Trouble | undefined {
  const refused = propertiesRefused(result.stages.at(-1)?.stderr ?? "");
  if (refused.length === 0) return undefined;
  return new Trouble(
    `${step.target} was received, but it may be mounted or written to: ${refused.join("; ")} (set canmount=noauto and readonly=on there by hand, and let the user do it: zfs allow USER canmount,mountpoint,readonly PARENT)`,
    "none",
  );
}

function troubleOf({ ends, job, machine }: Context, result: PipelineResult, step: StreamStep): Trouble {
  const failure = result.failure ?? "the transfer failed, and nothing has said why";
  const { source, target } = ends;
  const wire = result.stages[source.side.remote ? 0 : result.stages.length - 1];
  // Where another stage has failed, the wire was ended for it.
  const isBlamed = wire !== undefined && failure.startsWith(`${wire.name} `);
  if (machine.loss !== undefined || (isBlamed && connectionFailed(wire))) {
    // The connection that all commands share knows more of it than a command.
    return new Trouble(messageOf(machine.loss ?? lostError(job.target, wire?.stderr ?? "")), "reconnect");
  }
  // An ssh that somebody has ended says nothing of what is over there.
  if (result.stalled || (isBlamed && wire.signal !== undefined)) return new Trouble(failure, "reconnect");
  const blamed = result.stages.find(({ name }) => failure.startsWith(`${name} `)) ?? result.stages.at(-1);
  const text = blamed?.stderr ?? "";
  const about =
    blamed === result.stages[0] ? { ...source, dataset: step.source } : { ...target, dataset: step.target };
  const remedy = remedyOf(text, about);
  const telling = linesOf(text).filter((line) => TELLING.test(line));
  const words = telling.length > 0 ? `${blamed?.name} failed: ${telling.join("; ")}` : failure;
  const message = remedy === undefined ? words : `${words} (${where(about.side)}: ${remedy})`;
  const modified = isModified(text);
  return new Trouble(message, modified ? "none" : cureOfWords(text), { modified });
}

/** Of `zfs`, and of the shell that names what has failed beside it. */
const TELLING = /^(?:warning: )?(?:cannot|internal error)|^(?!\S*zfs )\S+ exited with status (?!0$|141$)\d+$/;

/** Lines of `zfs`, which breaks some of its sentences in two. */
function linesOf(text: string): readonly string[] {
  return text
    .replaceAll(/(has been modified|does not)\n/g, "$1 ")
    .split("\n")
    .map((line) => line.trim());
}
