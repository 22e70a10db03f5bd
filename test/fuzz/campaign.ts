import { systemClock } from "../../src/util/clock.ts";
import { generate } from "./generate.ts";
import { play } from "./player.ts";
import type { Session } from "./steps.ts";
import type { Usage, Victim } from "./victim.ts";

export interface CampaignOptions {
  readonly seconds: number;
  /** Of the first session; each later one has the next number. */
  readonly seed: number;
  /** Sessions at a time. */
  readonly clients: number;
  /** Called after each batch. */
  readonly onBatch?: (figures: Figures) => void;
}

export interface Figures {
  readonly seconds: number;
  readonly connections: number;
  readonly messages: number;
  /** Answers, by type. */
  readonly answers: ReadonlyMap<number, number>;
  /** What the program used when it had warmed up, and what it uses now. */
  readonly before: Usage;
  readonly after: Usage;
}

/**
 * Half of the time, and at most two minutes, are given to what any program fills once: caches, pools, code, and the heap, which
 * V8 lets grow to what the pace of the work asks for.
 */
const WARM_UP = 0.5;
const LONGEST_WARM_UP_S = 120;
const BATCH = 100;

/** What was found, with the sessions that were played last: one of them has done it. */
export class Found extends Error {
  readonly sessions: readonly Session[];

  constructor(message: string, sessions: readonly Session[]) {
    super(message);
    this.sessions = sessions;
  }
}

/** Plays session after session. @throws Found at the first thing that must not happen. */
export async function campaign(victim: Victim, options: CampaignOptions): Promise<Figures> {
  const { seconds, clients } = options;
  const started = Date.now();
  const elapsed = (): number => (Date.now() - started) / 1000;
  const answers = new Map<number, number>();
  let { seed } = options;
  let connections = 0;
  let messages = 0;
  let before = victim.usage();
  let after = before;
  const warmUp = Math.min(seconds * WARM_UP, LONGEST_WARM_UP_S);

  const one = async (session: Session): Promise<void> => {
    const played = await play(session, victim.stage);
    connections += 1;
    messages += played.messages;
    for (const [type, times] of played.answers) answers.set(type, (answers.get(type) ?? 0) + times);
  };

  for (;;) {
    const sessions = Array.from({ length: BATCH }, () => generate(seed++));
    await examined(sessions, async () => {
      const left = [...sessions];
      const worker = async (): Promise<void> => {
        for (let next = left.shift(); next && !victim.ended; next = left.shift()) await one(next);
      };
      await Promise.all(Array.from({ length: clients }, worker));
      await victim.settled();
      await victim.serves();
    });
    after = victim.usage();
    // The most it has had: what is given back to the system, and when, is not the program's to say.
    if (elapsed() < warmUp) before = { rss: Math.max(before.rss, after.rss), files: after.files };
    const figures = { seconds: elapsed(), connections, messages, answers, before, after };
    options.onBatch?.(figures);
    if (elapsed() > seconds) return figures;
  }

  async function examined(sessions: readonly Session[], work: () => Promise<void>): Promise<void> {
    let trouble: unknown;
    try {
      await work();
    } catch (error) {
      trouble = error;
    }
    // The last words of one who died may be on their way, and the news of its death.
    if (trouble || victim.ended) await systemClock.sleep(1_000);
    const said = [...victim.problems];
    if (victim.ended) said.unshift(victim.ended);
    if (trouble) said.unshift(trouble instanceof Error ? trouble.message : String(trouble));
    if (said.length === 0) return;
    const culprits = sessions.filter(({ from }) => said.some((line) => line.includes(`"${from}:`)));
    throw new Found(said.slice(0, 20).join("\n"), culprits.length > 0 ? culprits : sessions);
  }
}
