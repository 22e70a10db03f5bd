import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { play } from "./player.ts";
import type { Session } from "./steps.ts";
import { startVictim, type Victim } from "./victim.ts";

/** What the fuzzer has found is in a file each. FUZZ_REPLAY: another folder of such files, to look for the one among many. */
const folder = process.env.FUZZ_REPLAY ?? fileURLToPath(new URL("../fixtures/fuzz", import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith(".json"));

let victim: Victim | undefined;
afterAll(async () => {
  await victim?.[Symbol.asyncDispose]();
});

/** The same for all, as long as it is well. */
async function theVictim(): Promise<Victim> {
  if (victim && (victim.ended || victim.problems.length > 0)) {
    await victim[Symbol.asyncDispose]();
    victim = undefined;
  }
  victim ??= await startVictim();
  return victim;
}

describe("what once did harm", () => {
  test.each(files)(
    "%s",
    async (file) => {
      const session = JSON.parse(readFileSync(join(folder, file), "utf8")) as Session;
      const { stage, settled, serves } = await theVictim();
      await Promise.all([1, 2, 3].map(() => play(session, stage)));
      await settled();
      const trouble = await serves().catch((error: unknown) => error);
      expect([victim?.ended, ...(victim?.problems ?? []), trouble]).toEqual([undefined, undefined]);
    },
    180_000,
  );
});
