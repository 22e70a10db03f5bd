import { describe, expect, it } from "vitest";
import { createProgress } from "../../src/server/progress.ts";
import type { Stage } from "../../src/targets/lease.ts";

function watched(target = "archiver") {
  let now = 0;
  const lines: string[] = [];
  const progress = createProgress(
    target,
    () => now,
    (line) => lines.push(line),
  );
  const stage = (state: string, more: Partial<Stage> = {}, atMs = now) => {
    now = atMs;
    progress.stage({
      state,
      summary: "t4g.nano in us-west-2d",
      machine: "i-1",
      waitingFor: undefined,
      unfit: undefined,
      ...more,
    });
  };
  return {
    lines,
    progress,
    stage,
    at: (ms: number) => {
      now = ms;
    },
  };
}

describe("the progress of a boot", () => {
  it("is a line for each stage, with the time that has passed, and one at the end", () => {
    const { lines, progress, stage, at } = watched();
    stage("preparing");
    stage("launching", { machine: undefined });
    stage("launching", { waitingFor: "the cloud's answer" });
    stage("booting", {}, 2_100);
    stage("attaching", {}, 14_000);
    stage("probing", {}, 16_200);
    at(31_000);
    progress.ready();
    expect(lines).toEqual([
      "lazyssh: archiver: starting t4g.nano in us-west-2d",
      "lazyssh: archiver: i-1 boots (2.1 s)",
      "lazyssh: archiver: i-1 runs, its volumes are being attached (14 s)",
      "lazyssh: archiver: i-1 has what it needs, waiting until it answers (16.2 s)",
      "lazyssh: archiver: ready in 31 s",
    ]);
  });

  it("tells what stands in the way before the order, and each change of it", () => {
    const { lines, stage } = watched();
    stage("stopping", { machine: "i-0" });
    stage("preparing", { waitingFor: "vol-1 is in-use by i-0" });
    stage("preparing", { waitingFor: "vol-1 is in-use by i-0" });
    stage("preparing", { waitingFor: "vol-2 is in-use by i-0" });
    stage("ready", { unfit: "its port is closed" });
    expect(lines).toEqual([
      "lazyssh: archiver: i-0, the one before, is being ended",
      "lazyssh: archiver: waiting for vol-1 is in-use by i-0",
      "lazyssh: archiver: waiting for vol-2 is in-use by i-0",
      "lazyssh: archiver: i-1 takes no new connections now: its port is closed",
    ]);
  });

  it("is nothing at all for a machine that is ready", () => {
    const { lines, progress, stage } = watched();
    progress.tick();
    stage("ready", { waitingFor: "something of before" });
    progress.ready();
    expect(lines).toEqual([]);
  });

  it("goes on to say what is waited for when a stage takes long", () => {
    const { lines, progress, stage, at } = watched();
    stage("probing", { waitingFor: "10.0.0.1:22 refuses connections" });
    at(15_000);
    progress.tick();
    expect(lines.at(-1)).toBe("lazyssh: archiver: still waiting for: 10.0.0.1:22 refuses connections (15 s)");
  });

  it("writes nothing to a terminal but one printable line at a time", () => {
    const { lines, stage } = watched("evil\u001b[2J\nname");
    stage("preparing", { waitingFor: "a\r\nb\u202ec" });
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });
});
