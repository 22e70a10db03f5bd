import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { campaign, type Figures, Found } from "./campaign.ts";
import { startVictim } from "./victim.ts";

const MIB = 1024 * 1024;

/** FUZZ_SECONDS: how long. FUZZ_SEED: a number, of the first session; by default another one in each run. */
const seconds = Number(process.env.FUZZ_SECONDS ?? (process.env.CI === "true" ? 60 : 10));
const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));

const inWords = ({ connections, messages, seconds: s, before, after }: Figures): string =>
  `${connections} connections, ${messages} messages in ${Math.round(s)} s; memory ${Math.round(before.rss / MIB)} → ${Math.round(after.rss / MIB)} MiB, files ${before.files} → ${after.files}`;

test(
  `clients that send anything, at any time, neither end nor stop nor bloat it (FUZZ_SEED=${seed})`,
  async () => {
    await using victim = await startVictim();
    let told = 0;
    const onBatch = (figures: Figures): void => {
      if (figures.seconds - told < 60) return;
      told = figures.seconds;
      console.log(inWords(figures));
    };
    try {
      const figures = await campaign(victim, { seconds, seed, clients: 12, onBatch });
      const reasons = [...victim.reasons].sort(([, a], [, b]) => b - a).slice(0, 60);
      const answers = [...figures.answers].sort(([, a], [, b]) => b - a);
      console.log(`${inWords(figures)}\n${reasons.map(([what, times]) => `${times} × ${what}`).join("\n")}`);
      console.log(`answers by type: ${answers.map(([type, times]) => `${type}: ${times}`).join(", ")}`);
      // Clients that get nowhere prove nothing.
      expect(victim.reasons.get("logged in")).toBeGreaterThan(figures.connections * 0.2);
      expect(victim.reasons.get("channel.open")).toBeGreaterThan(figures.connections * 0.2);
      expect(figures.after.rss).toBeLessThan(figures.before.rss + 64 * MIB);
      expect(figures.after.files).toBeLessThanOrEqual(figures.before.files + 2);
    } catch (error) {
      if (!(error instanceof Found)) throw error;
      const folder = mkdtempSync(join(tmpdir(), "lazyssh-fuzz-"));
      for (const session of error.sessions) {
        writeFileSync(join(folder, `${session.seed}.json`), `${JSON.stringify(session, undefined, 1)}\n`);
      }
      throw new Error(
        `${error.message}\nOne of the ${error.sessions.length} sessions in ${folder} has done it.`,
      );
    }
  },
  (seconds + 120) * 1000,
);
