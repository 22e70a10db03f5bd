import type { ReplicateJob } from "../../config/replicate.ts";
import type { Dataset } from "../model.ts";
import { chooseCompression, MBUFFER } from "../pipeline/compression.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { remotePipe } from "../pipeline/remote-pipe.ts";
import { receiveArgv } from "../zfs/receive.ts";
import { type StreamStep, sendArgv } from "../zfs/send.ts";
import { type End, type Ends, where } from "./ends.ts";

export interface Route {
  readonly ends: Ends;
  readonly job: Pick<ReplicateJob, "send">;
  readonly step: StreamStep;
  /** What is sent. */
  readonly dataset: Pick<Dataset, "kind" | "encrypted">;
  /** See {@link isPacked}. */
  readonly packed: boolean;
}

/**
 * Whether what the source has is such that it cannot be compressed: its own compression has won next to nothing. Asked only where it matters;
 * also false where `zfs` does not tell.
 */
export async function isPacked(
  { ends, job }: Pick<Route, "ends" | "job">,
  dataset: string,
  signal: AbortSignal,
): Promise<boolean> {
  if (job.send.compress !== "auto") return false;
  const { side, zfs } = ends.source;
  const { status, stdout } = await side.run(
    [zfs, "get", "-Hp", "-o", "value", "compression,compressratio", dataset],
    { signal },
  );
  const [compression, ratio = ""] = stdout.split("\n");
  return status === 0 && compression !== "off" && Number.parseFloat(ratio) < PACKED_RATIO;
}

const PACKED_RATIO = 1.05;

/** What carries a stream from one side to the other; the meter is after the last stage of the source. */
export function stagesOf(route: Route): { stages: Stage[]; meterAfter: number } {
  const { sending, receiving } = programsOf(route);
  const before = onSide(route.ends.source, sending);
  return { stages: [...before, ...onSide(route.ends.target, receiving)], meterAfter: before.length - 1 };
}

/** The programs that run on each side, in order, as though both were here. */
export function programsOf({ ends, job, step, dataset, packed }: Route): {
  sending: Stage[];
  receiving: Stage[];
} {
  const { source, target } = ends;
  const raw = isRaw(job, dataset);
  const compression = chooseCompression({
    want: job.send.compress,
    source: source.programs,
    target: target.programs,
    stream: { raw, packed, compressed: source.features.compressed && target.features.compressed },
  });
  const features = { source: source.features, target: target.features };
  const send = sendArgv({ zfs: source.zfs, step, raw, ...features });
  const receive = receiveArgv({ zfs: target.zfs, step, kind: dataset.kind, target: target.features });
  const sending: Stage[] = [{ name: "zfs send", argv: send }];
  const receiving: Stage[] = [{ name: "zfs recv", argv: receive }];
  if (target.programs.includes("mbuffer")) receiving.unshift({ name: "mbuffer", argv: MBUFFER });
  if (compression) {
    sending.push({ name: compression.name, argv: compression.compress });
    receiving.unshift({ name: `${compression.name} -d`, argv: compression.decompress });
  }
  return { sending, receiving };
}

/** As it is on disk: what the job says, and without a word what is encrypted. */
export function isRaw(job: Pick<ReplicateJob, "send">, { encrypted }: Pick<Dataset, "encrypted">): boolean {
  return job.send.raw ?? encrypted;
}

/** Over there a shell joins them, so that the wire is crossed once. */
function onSide({ side }: End, stages: readonly Stage[]): readonly Stage[] {
  if (!side.remote) return stages;
  const main = stages.find(({ name }) => name.startsWith("zfs "))?.name ?? "zfs";
  return [{ name: `${main} ${where(side)}`, argv: side.command(remotePipe(stages.map(({ argv }) => argv))) }];
}
