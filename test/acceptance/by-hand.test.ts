import { describe, expect, it } from "vitest";
import { runProgram, startProgram } from "../harness/program.ts";
import { type Scene, startScene } from "../harness/scene.ts";
import { eventually } from "../harness/world.ts";

const byHand = (s: Scene, command: string, ...more: string[]) =>
  runProgram([command, "-c", s.configFile, "--state-dir", s.stateDir, ...more]);

const machines = async (s: Scene) => {
  const { targets } = JSON.parse((await byHand(s, "status", "--json")).stdout);
  return targets[0].machines as { state: string; machine: string }[];
};

describe("a machine by hand", () => {
  it("starts without a connection, is kept, and stops when told to", async () => {
    await using s = await startScene();
    expect(await machines(s)).toEqual([]);
    const started = await byHand(s, "start", "archiver");
    expect(started).toMatchObject({
      code: 0,
      stdout: "archiver is ready, and is kept until lazyssh stop archiver\n",
    });
    const [id] = s.running().map((instance) => instance.id);
    expect(await machines(s)).toMatchObject([{ state: "ready", machine: id }]);
    const shown = await byHand(s, "status");
    expect(shown.stdout).toContain(id);
    expect(shown.stdout).toContain(s.world.volumeId);

    expect((await s.ssh("true")).code).toBe(0);
    expect(s.running().map((instance) => instance.id)).toEqual([id]);

    expect(await byHand(s, "stop", "archiver")).toMatchObject({
      code: 0,
      stdout: `archiver: ${id} is being stopped\n`,
    });
    await s.quiet();
    expect(s.calls("RunInstances")).toBe(1);
  }, 60_000);

  it("is not started after all when who asked presses Ctrl-C", async () => {
    await using s = await startScene({ world: { delays: { bootMs: 20_000 } } });
    await using start = startProgram(["start", "archiver", "--state-dir", s.stateDir]);
    await eventually("the machine", () => s.running().length === 1);
    start.kill("SIGINT");
    await s.quiet();
  }, 60_000);
});
