import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RunInstancesCommand } from "@aws-sdk/client-ec2";
import { describe, expect, it } from "vitest";
import { runProgram } from "../harness/program.ts";
import { type Scene, startScene } from "../harness/scene.ts";
import { ec2Client } from "../harness/world.ts";

const sweep = (s: Scene, ...more: string[]) =>
  runProgram(["sweep", "-c", s.configFile, "--state-dir", s.stateDir, ...more]);

/** A machine of ours that a killed server has left, and one that is nobody's business of ours. */
async function leftBehind(): Promise<{ s: Scene; own: string; foreign: string }> {
  const s = await startScene({ target: { linger: '"10m"' } });
  expect((await s.ssh("true")).code).toBe(0);
  const own = s.running()[0]?.id ?? "";
  s.jump.kill("SIGKILL");
  await s.jump.ended;
  const ec2 = ec2Client(s.world);
  const { Instances } = await ec2.send(
    new RunInstancesCommand({
      ImageId: "ami-0123456789abcdef0",
      InstanceType: "t4g.nano",
      MinCount: 1,
      MaxCount: 1,
      TagSpecifications: [
        {
          ResourceType: "instance",
          Tags: [
            { Key: "lazyssh:owner", Value: "somebody else" },
            { Key: "lazyssh:target", Value: "archiver" },
          ],
        },
      ],
    }),
  );
  ec2.destroy();
  return { s, own, foreign: Instances?.[0]?.InstanceId ?? "" };
}

describe("lazyssh sweep", () => {
  it("lists with --dry-run precisely what it then ends, and touches nothing without our mark", async () => {
    const { s, own, foreign } = await leftBehind();
    await using _scene = s;
    const listed = await sweep(s, "--dry-run");
    expect([listed.code, listed.stdout]).toEqual([0, `${own}, target archiver, running\n`]);
    expect(s.running().map(({ id }) => id)).toEqual([own, foreign]);

    const swept = await sweep(s);
    expect(swept.code).toBe(0);
    expect(swept.stdout).toBe(`${own}, target archiver, running\n${own} is gone\n`);
    expect(s.running().map(({ id }) => id)).toEqual([foreign]);
    expect(s.volumeState()).toBe("available");

    expect((await sweep(s)).stdout).toBe("nothing that this server has started is running\n");
  }, 60_000);

  it("ends what was ordered for a target that is not configured any more", async () => {
    const { s, foreign } = await leftBehind();
    await using _scene = s;
    const renamed = readFileSync(s.configFile, "utf8").replace('target "archiver"', 'target "other"');
    writeFileSync(s.configFile, renamed);
    expect((await sweep(s)).code).toBe(0);
    expect(s.running().map(({ id }) => id)).toEqual([foreign]);
  }, 60_000);

  it("says how to end by hand an order of which neither cloud nor config know", async () => {
    const { s } = await leftBehind();
    await using _scene = s;
    const record = { token: "lazyssh-lost", target: "lost", startedAt: "2026-01-01T00:00:00.000Z" };
    writeFileSync(join(s.stateDir, "launches", "lazyssh-lost.json"), JSON.stringify(record));
    const { code, stderr } = await sweep(s);
    expect(code).toBe(1);
    expect(stderr).toMatch(/client token lazyssh-lost.*target "lost".*by hand/);
    expect(s.volumeState()).toBe("available");
  }, 60_000);

  it("leaves a running server's machines to it", async () => {
    await using s = await startScene({ target: { linger: '"10m"' } });
    expect((await s.ssh("true")).code).toBe(0);
    const { code, stderr } = await sweep(s);
    expect(code).toBe(2);
    expect(stderr).toContain("another lazyssh uses the state directory");
    expect(s.running()).toHaveLength(1);
  }, 60_000);
});
