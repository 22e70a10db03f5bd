import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { play } from "./player.ts";
import type { Session } from "./steps.ts";
import { startVictim } from "./victim.ts";

/** What the fuzzer has found is in a file each. FUZZ_REPLAY: another folder of such files, to look for the one among many. */
const folder = process.env.FUZZ_REPLAY ?? fileURLToPath(new URL("../fixtures/fuzz", import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith(".json"));

describe("what once did harm", () => {
  test.each(files)(
    "%s",
    async (file) => {
      const session = JSON.parse(readFileSync(join(folder, file), "utf8")) as Session;
      await using victim = await startVictim();
      await Promise.all([1, 2, 3].map(() => play(session, victim.stage)));
      await victim.settled();
      await victim.serves().catch(() => undefined);
      expect([victim.ended, ...victim.problems]).toEqual([undefined]);
      await victim.serves();
    },
    120_000,
  );
});
