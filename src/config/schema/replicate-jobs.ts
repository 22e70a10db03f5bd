import { type Decoder, headerOf } from "../decode/decoder.ts";
import type { ReplicateJob } from "../replicate.ts";
import type { Body } from "../syntax/tree.ts";
import { replicateJob, replicateTable } from "./replicate.ts";
import { jobNameProblem } from "./replicate-names.ts";

const MOST_JOBS = 1000;

/** The jobs of a file, in its order. One that is wrong has been told to the decoder, and is not among them. */
export function decodeJobs({ blocks }: Body, decoder: Decoder): readonly ReplicateJob[] {
  const found = blocks.filter(({ type }) => type === "replicate");
  const extra = found[MOST_JOBS];
  if (extra)
    decoder.error(headerOf(extra), "Too many jobs", `A file has at most ${MOST_JOBS} replicate blocks.`);
  const names = new Set<string>();
  return found.slice(0, MOST_JOBS).flatMap((block) => {
    if (!decoder.labels(block, ["name"])) return [];
    const [label] = block.labels;
    if (label === undefined) return [];
    const problem = jobNameProblem(label.value);
    if (problem !== undefined) decoder.error(label, "Invalid name of a job", problem);
    if (names.has(label.value))
      decoder.error(label, "Duplicate job", `There is a job with the name "${label.value}" already.`);
    names.add(label.value);
    const section = decoder.decode(block, replicateTable);
    return section ? [replicateJob(label.value, section, decoder)] : [];
  });
}
