import { readFileSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { startScene } from "../harness/scene.ts";
import { eventually } from "../harness/world.ts";

/** Changes the config file of a scene, and waits until the server has it. */
async function edit(
  scene: Awaited<ReturnType<typeof startScene>>,
  from: string | RegExp,
  to: string,
): Promise<void> {
  const { configFile, jump } = scene;
  const before = jump.log.length;
  const text = readFileSync(configFile, "utf8");
  expect(text).toMatch(from);
  writeFileSync(configFile, text.replace(from, to));
  await eventually(
    "the reload",
    () => jump.log.slice(before).some(({ msg }) => msg === "config.reloaded"),
    60_000,
  );
}

it("a target that is changed while its machine is in use keeps that machine for all, and has another afterwards", async () => {
  await using scene = await startScene();
  await using user = await scene.session("cat");
  await edit(scene, 'instance_type = "t4g.nano"', 'instance_type = "t4g.micro"');
  // What is under way goes on, and who comes gets the same machine.
  const letter = "x".repeat(4 * 1024 * 1024);
  const echoed = new Promise<void>((resolve) => {
    let length = 0;
    user.process.stdout.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length >= letter.length) resolve();
    });
  });
  user.process.stdin.write(letter);
  const other = await scene.ssh("echo hello");
  expect(other.stdout.toString()).toBe("hello\n");
  await echoed;
  expect(scene.calls("RunInstances")).toBe(1);
  user.process.stdin.end();
  expect((await user.ended).code).toBe(0);
  await scene.quiet(60_000);
  await scene.ssh("true");
  const ordered = scene.world
    .state()
    .events.flatMap((event) => (event.type === "instance.launched" ? [event.instanceType] : []));
  expect(ordered).toEqual(["t4g.nano", "t4g.micro"]);
  await scene.quiet(60_000);
}, 120_000);

it("a target that is taken out of the config lets nobody in, and its machine ends with the last connection", async () => {
  await using scene = await startScene({ target: { linger: '"1h"' } });
  await using user = await scene.session();
  await edit(scene, 'target "archiver"', 'target "other"');
  const refused = await scene.ssh("true");
  expect(refused.stderr).toContain('there is no target "archiver": targets are: other');
  expect(scene.running()).toHaveLength(1);
  expect(user.process.exitCode).toBeNull();
  user.process.kill();
  await scene.quiet(60_000);
  expect((await scene.jump.stop()).code).toBe(0);
}, 120_000);
