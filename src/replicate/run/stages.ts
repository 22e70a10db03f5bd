import type { ReplicateJob } from "../../config/replicate.ts";
import type { Dataset } from "../model.ts";
import { type Compression, chooseCompression, MBUFFER } from "../pipeline/compression.ts";
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
 * Whether what the source has is such that it cannot be compressed: its own compression has won next to nothing. Asked only where nothing else
 * decides; false, too, where `zfs` does not tell.
 */
export async function isPacked(
  route: Omit<Packing, "packed">,
  name: string,
  signal: AbortSignal,
): Promise<boolean> {
  if (route.job.send.compress !== "auto" || !compressionOf({ ...route, packed: false })) return false;
  const { side, zfs } = route.ends.source;
  const { status, stdout } = await side.run(
    [zfs, "get", "-Hp", "-o", "value", "compression,compressratio", name],
    { signal },
  );
  const [compression, ratio = ""] = stdout.split("\n");
  return status === 0 && compression !== "off" && Number.parseFloat(ratio) < PACKED_RATIO;
}

const PACKED_RATIO = 1.05;

type Packing = Omit<Route, "step">;

function compressionOf({ ends, job, dataset, packed }: Packing): Compression | undefined {
  return chooseCompression({
    want: job.send.compress,
    source: ends.source.programs,
    target: ends.target.programs,
    stream: { raw: isRaw(job, dataset), packed, compressed: isAsOnDisk(ends) },
  });
}

/** Blocks that are compressed on disk are sent so. */
export function isAsOnDisk({ source, target }: Ends): boolean {
  return source.features.compressed && target.features.compressed;
}

/** What carries a stream from one side to the other; the meter is after the last stage of the source. */
export function stagesOf(route: Route): { stages: Stage[]; meterAfter: number } {
  const { sending, receiving } = programsOf(route);
  const before = onSide(route.ends.source, sending);
  return { stages: [...before, ...onSide(route.ends.target, receiving)], meterAfter: before.length - 1 };
}

/** The programs that run on each side, in order, as though both were here. */
export function programsOf({ step, ...packing }: Route): { sending: Stage[]; receiving: Stage[] } {
  const { ends, job, dataset } = packing;
  const { source, target } = ends;
  const raw = isRaw(job, dataset);
  const compression = compressionOf(packing);
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
