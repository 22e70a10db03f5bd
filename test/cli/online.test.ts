import { describe, expect, it } from "vitest";
import { checkOnline } from "../../src/cli/online.ts";
import type { AwsEc2Target, Config } from "../../src/config/index.ts";
import type { Finding } from "../../src/providers/index.ts";
import { systemClock } from "../../src/util/clock.ts";
import { LazysshError } from "../../src/util/errors.ts";
import { runProgram } from "../harness/program.ts";
import { startScene } from "../harness/scene.ts";
import { SimClock } from "../harness/sim-clock.ts";

const config: Config = {
  file: "c.hcl",
  server: {} as Config["server"],
  jobs: [],
  targets: [
    { type: "aws_ec2", name: "a" } as AwsEc2Target,
    { type: "forward", name: "home", to: "192.0.2.1", ports: undefined },
    { type: "aws_ec2", name: "b" } as AwsEc2Target,
  ],
};

type Preflight = (signal: AbortSignal) => Promise<readonly Finding[]>;

const check = (of: Record<string, Preflight>, clock = systemClock) =>
  checkOnline(config, {
    provider: ({ name }) => ({ preflight: of[name] ?? (async () => []) }),
    clock,
  });

describe("what speaks against a start", () => {
  it("is nothing when no provider finds anything", async () => {
    expect(await check({})).toEqual([]);
  });

  it("is told in the order of the targets, errors and warnings, with the target's name", async () => {
    const findings = await check({
      a: async () => [{ severity: "warning", text: "vol-1 is in-use by i-2" }],
      b: async () => [{ severity: "error", text: "ami-1 does not exist" }],
    });
    expect(findings).toEqual([
      {
        severity: "warning",
        summary: 'Target "a" may not start',
        detail: "vol-1 is in-use by i-2",
        range: undefined,
      },
      {
        severity: "error",
        summary: 'Target "b" cannot be started',
        detail: "ami-1 does not exist",
        range: undefined,
      },
    ]);
  });

  it("is that a target could not be looked at, too, and the others are looked at all the same", async () => {
    const findings = await check({
      a: () => Promise.reject(new LazysshError("CREDENTIALS", "the credentials have expired")),
      b: async () => [{ severity: "warning", text: "slow" }],
    });
    expect(findings).toMatchObject([
      { severity: "error", detail: "the credentials have expired" },
      { severity: "warning", detail: "slow" },
    ]);
  });

  it("is that the cloud does not answer within a minute", async () => {
    const clock = new SimClock();
    const checked = check({ b: () => new Promise(() => undefined) }, clock);
    await clock.advance(60_000);
    expect(await checked).toMatchObject([
      { summary: 'Target "b" cannot be started', detail: "the cloud did not answer within 60 s" },
    ]);
  });
});

describe("lazyssh check --online", () => {
  it("asks the cloud of each target, starts nothing, and ends with 0 when nothing is found", async () => {
    await using s = await startScene();
    const text = await runProgram(["check", "--online", "-c", s.configFile]);
    expect(text).toMatchObject({
      code: 0,
      stdout: `${s.configFile} is valid, 1 target: archiver\n1 user: jump (1 key)\nno "ports": connections may reach every port of archiver\nnothing in the cloud speaks against a start\n`,
    });
    const json = await runProgram(["check", "--online", "--json", "-c", s.configFile]);
    expect([json.code, JSON.parse(json.stdout)]).toMatchObject([0, { valid: true, error_count: 0 }]);
    expect(s.running()).toEqual([]);
  });
});
