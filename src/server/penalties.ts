/** What a connection that did not log in has done. */
export type Offence =
  /** Logins failed, and none succeeded. */
  | "failed_logins"
  /** It did not keep to the protocol. */
  | "broke_protocol"
  /** It spoke, and did not log in in its time. */
  | "dawdled";

/** Milliseconds that each adds; as sshd's PerSourcePenalties, with less for what people do by mistake. */
const PENALTY_MS: Record<Offence, number> = {
  failed_logins: 5_000,
  broke_protocol: 10_000,
  dawdled: 10_000,
};

/** In force only when so much has come together: one mistake costs nobody anything. */
const THRESHOLD_MS = 15_000;
const LONGEST_MS = 600_000;
/** So long after the end of a penalty the next one is twice as long. */
const MEMORY_MS = 600_000;
/** So long after a login no penalty is given: who is known may have others behind the same address. */
const TRUST_MS = 3_600_000;
/** Sources that are remembered, of either kind. The oldest is forgotten first. */
const MOST_SOURCES = 10_000;

/** A penalty that has come into force. */
export interface Penalty {
  /** Milliseconds since the epoch. */
  readonly until: number;
  readonly offence: Offence;
}

interface Account {
  /** What has come together lasts until then, if nothing is added. */
  readonly owedUntil: number;
  /** When the last penalty ends or ended; 0 when there was none. */
  readonly heldUntil: number;
  /** Penalties so far. */
  readonly held: number;
}

const CLEAN: Account = { owedUntil: 0, heldUntil: 0, held: 0 };

/** Sources that are not let in for a while. Times are given, so that it can be tested without waiting. */
export class Penalties {
  readonly #accounts = new Map<string, Account>();
  readonly #trusted = new Map<string, number>();

  /** Until when the source is refused; undefined when it is not. */
  heldUntil(source: string, now: number): number | undefined {
    const until = this.#accounts.get(source)?.heldUntil ?? 0;
    return until > now ? until : undefined;
  }

  /** @returns The penalty, when it comes into force by this. */
  add(source: string, offence: Offence, now: number): Penalty | undefined {
    if ((this.#trusted.get(source) ?? 0) > now) return undefined;
    const before = this.#accounts.get(source) ?? CLEAN;
    // What was under way when the penalty came into force is paid for by it.
    if (before.heldUntil > now) return undefined;
    const held = before.heldUntil + MEMORY_MS > now ? before.held : 0;
    const owedUntil = Math.max(before.owedUntil, now) + PENALTY_MS[offence];
    if (owedUntil - now < THRESHOLD_MS) {
      remember(this.#accounts, source, { ...before, owedUntil, held });
      return undefined;
    }
    const until = now + Math.min((owedUntil - now) * 2 ** held, LONGEST_MS);
    remember(this.#accounts, source, { owedUntil: until, heldUntil: until, held: held + 1 });
    return { until, offence };
  }

  /** Somebody has logged in from there. */
  trust(source: string, now: number): void {
    this.#accounts.delete(source);
    remember(this.#trusted, source, now + TRUST_MS);
  }
}

function remember<T>(table: Map<string, T>, source: string, value: T): void {
  // At its end, because the first are the ones that are forgotten.
  table.delete(source);
  table.set(source, value);
  if (table.size <= MOST_SOURCES) return;
  const [oldest] = table.keys();
  if (oldest !== undefined) table.delete(oldest);
}
