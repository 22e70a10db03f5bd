import { execFileSync } from "node:child_process";
import { systemClock } from "../src/util/clock.ts";
import type { Single } from "./figures.ts";
import { startJumpHost } from "./jump-host.ts";
import { type Keys, writeConfig } from "./peers.ts";
import { residentKiB } from "./processes.ts";
import type { Tree } from "./tree.ts";

/** How long a server that was just started is left alone before its memory is looked at. */
const SETTLE_MS = 3_000;

const TARGET = `target "archiver" "aws_ec2" {
  image_id = "ami-0123456789abcdef0"
  instance_type = "t4g.nano"
  key_name = "bench"
  attach_volume {
    device_name = "/dev/sdf"
    volume_id = "vol-0123456789abcdef0"
  }
}
`;

/** What the program costs before anybody has come, with one `aws_ec2` target. */
export async function start(keys: Keys, tree: Tree, rounds: number): Promise<readonly Single[]> {
  const config = writeConfig(keys, "rest", TARGET);
  const listening: number[] = [];
  const resident: number[] = [];
  const cli: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const jump = await startJumpHost(config, process.env, tree);
    listening.push(jump.startMs);
    await systemClock.sleep(SETTLE_MS);
    resident.push(residentKiB(jump.pid) / 1024);
    await jump[Symbol.asyncDispose]();
    const started = performance.now();
    execFileSync(tree.node, [tree.main, "--version"]);
    cli.push(performance.now() - started);
  }
  return [
    { name: "start to listening", unit: "ms", lazyssh: listening },
    { name: "resident at rest, one aws_ec2", unit: "MiB", lazyssh: resident },
    { name: "lazyssh --version", unit: "ms", lazyssh: cli },
  ];
}
