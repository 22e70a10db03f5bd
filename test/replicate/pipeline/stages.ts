import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { onTestFinished } from "vitest";
import type { PipelineOptions, Stage } from "../../../src/replicate/pipeline/pipeline.ts";
import { systemClock } from "../../../src/util/clock.ts";

/** A stage that is a shell script. */
export function script(name: string, text: string, ...args: string[]): Stage {
  return { name, argv: ["sh", "-c", text, "sh", ...args] };
}

/** Options for a pipeline, and who of its processes is there: they are known by a mark in their environment. */
export function marked(stages: readonly Stage[]): { options: PipelineOptions; alive: () => string[] } {
  const mark = `LAZYSSH_TEST_PIPE=${randomUUID()}`;
  const [name = "", value = ""] = mark.split("=");
  const alive = () => pidsWith(mark);
  onTestFinished(() => {
    for (const pid of alive()) process.kill(Number(pid), "SIGKILL");
  });
  const options: PipelineOptions = {
    stages,
    meterAfter: 0,
    clock: systemClock,
    signal: new AbortController().signal,
    stallMs: 30_000,
    env: { ...process.env, [name]: value },
  };
  return { options, alive };
}

function pidsWith(mark: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(mark);
    } catch {
      return false;
    }
  });
}
