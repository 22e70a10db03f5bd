import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ec2Client, eventually, startWorld } from "../harness/world.ts";
import { describe, isAlive, run } from "./machine.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lazyssh-crash-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const PROGRAM = `
  const { createWorld } = await import(process.argv[1]);
  const world = await createWorld({ dir: process.argv[2] });
  console.log(world.endpoint);
`;

test.each([
  ["its guests along", false],
  ["a frozen guest along", true],
])("a world that is killed takes %s, and its folder can be used again", async (_what, frozen) => {
  const built = new URL("../../dist/dev/index.js", import.meta.url).href;
  const killed = spawn(process.execPath, ["--input-type=module", "-e", PROGRAM, built, dir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(killed.stdout, "data")) as [Buffer];
  const endpoint = line.toString().trim();
  const ec2 = ec2Client({ endpoint, region: "us-west-2" });
  const id = await run({ ec2 });
  const state = (await (await fetch(`${endpoint}/_dev/state`)).json()) as { instances: { pid: number }[] };
  const pid = state.instances[0]?.pid ?? Number.NaN;
  expect(isAlive(pid)).toBe(true);
  if (frozen) await fetch(`${endpoint}/_dev/freeze/${id}`, { method: "POST" });
  killed.kill("SIGKILL");
  await eventually("the guest has ended", () => !isAlive(pid));
  ec2.destroy();

  await using again = await startWorld({ dir });
  expect(again.world.endpoint).toBe(endpoint);
  expect((await describe(again, id)).State?.Name).toBe("terminated");
});
