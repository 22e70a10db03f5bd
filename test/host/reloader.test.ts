import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type ConfigResult, parseConfig } from "../../src/config/index.ts";
import { createReloader } from "../../src/host/index.ts";
import { createEventStream, type LazysshEvent } from "../../src/observe/index.ts";
import { type Clock, systemClock } from "../../src/util/clock.ts";
import { LazysshError } from "../../src/util/errors.ts";
import { SimClock } from "../harness/sim-clock.ts";
import { tempDir } from "../harness/temp.ts";
import { eventually } from "../harness/world.ts";

/** A reloader of a config that depends on files whose names do not matter. */
async function reloader(
  names: readonly string[],
  clock: Clock = systemClock,
  meanwhile: "first" | "second" | "gone" = "first",
) {
  const dir = tempDir();
  const files = names.map((name) => join(dir, name));
  for (const file of files) writeFileSync(file, "first");
  const seen: LazysshEvent[] = [];
  const events = createEventStream();
  events.subscribe((event) => seen.push(event));
  const state = {
    files,
    loads: 0,
    text: "first",
    apply: () => ({ changes: ["something"], kept: [] as string[] }),
  };
  const result = (): ConfigResult => ({
    ...parseConfig(Buffer.from('variable "unused" {}'), { file: files[0] ?? "", env: {} }),
    config: { file: state.text } as NonNullable<ConfigResult["config"]>,
    diagnostics: [],
    files: state.files,
  });
  const first = result();
  if (meanwhile === "gone") rmSync(files[0] ?? "");
  else state.text = meanwhile;
  const made = createReloader({
    load: async () => {
      state.loads += 1;
      return result();
    },
    first,
    apply: () => state.apply(),
    events,
    clock,
  });
  onTestFinished(() => made[Symbol.dispose]());
  // It has looked whether anything has changed since the start, and watches.
  await eventually("the first look", () => state.loads > 0 || seen.length > 1);
  const count = (type: LazysshEvent["type"]) => seen.filter((event) => event.type === type).length;
  return { dir, files, state, seen, count, made };
}

describe("what a config depends on", () => {
  it("has it read again when it changes: files that it names, in whatever folder, there or not yet", async () => {
    const { files, count, dir, state } = await reloader(["config.hcl", "users.keys"]);
    const later = join(dir, "later");
    // Told of also where the first look, which may not be over, takes it already.
    state.text = "second";
    writeFileSync(`${files[1]}~`, "second");
    renameSync(`${files[1]}~`, files[1] ?? "");
    await eventually("a reload", () => count("config.reloaded") === 1);
    state.files = [...files, later];
    writeFileSync(files[0] ?? "", "second");
    await eventually("another reload", () => count("config.reloaded") === 2);
    writeFileSync(later, "it is here");
    await eventually("a third reload", () => count("config.reloaded") === 3);
  });

  it("has it read again when it has changed while the server started", async () => {
    const { count } = await reloader(["config.hcl"], systemClock, "second");
    await eventually("a reload", () => count("config.reloaded") === 1);
  });

  it("is told of when it has gone while the server started, and taken when it is back", async () => {
    const clock = new SimClock();
    const { count, seen, files } = await reloader(["config.hcl"], clock, "gone");
    expect(seen.at(-1)).toMatchObject({
      type: "config.rejected",
      problems: [expect.stringContaining("it is gone")],
    });
    const back = clock.now();
    writeFileSync(files[0] ?? "", "first");
    // The kernel tells of it: it is not waited for until it is looked at anyway.
    await eventually("a reload", async () => {
      await clock.advance(10);
      return count("config.reloaded") === 1;
    });
    expect(clock.now() - back).toBeLessThan(10_000);
  });

  it("is looked at now and then where the kernel tells nothing", async () => {
    const clock = new SimClock();
    const { files, state } = await reloader(["config.hcl"], clock);
    await clock.advance(60_000);
    expect(state.loads).toBe(1);
    // Whatever the kernel tells is waited for on this clock, too, and it stands still.
    writeFileSync(files[0] ?? "", "second");
    await eventually("a reload", async () => {
      await clock.advance(15_000);
      return state.loads === 2;
    });
  });

  it("is not taken when it cannot be used, and says why", async () => {
    const { made, state, seen, count } = await reloader(["config.hcl"]);
    state.apply = () => {
      throw new LazysshError("CONFIG_INVALID", "this host key cannot be used");
    };
    made.reload();
    await eventually("a rejection", () => count("config.rejected") === 1);
    expect(seen.at(-1)).toMatchObject({ problems: ["this host key cannot be used"] });
  });

  it("is not read any more when it ends", async () => {
    const { made, state, files } = await reloader(["config.hcl"]);
    made.reload();
    await eventually("a reload", () => state.loads === 2);
    made[Symbol.dispose]();
    made.reload();
    writeFileSync(files[0] ?? "", "second");
    await systemClock.sleep(500);
    expect(state.loads).toBe(2);
  });
});
