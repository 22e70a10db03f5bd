import type { EventStream } from "../observe/events.ts";
import type { Clock } from "../util/clock.ts";
import { formatDuration } from "../util/duration.ts";
import { gate, type Stranger } from "./gate.ts";
import type { Limits } from "./limits.ts";
import { type Offence, Penalties } from "./penalties.ts";

/** One who has not logged in, and can be dropped. */
export interface Guest extends Stranger {
  /** Of its connection. */
  readonly id: string;
  /** Ends the connection, at no cost. */
  drop(reason: string): void;
}

export interface StrangersOptions {
  /** As they are now: they may be reloaded. */
  readonly limits: () => Pick<Limits, "startups" | "penalties">;
  /** Whether there is a file descriptor for one more. */
  readonly room: () => boolean;
  /** Whether somebody from there is logged in. */
  readonly known: (source: string) => boolean;
  readonly events: EventStream;
  readonly clock: Clock;
  /** Of [0, 1). Default: `Math.random`. */
  readonly random?: () => number;
}

/** Why somebody is not let in, for people. */
export interface Objection {
  readonly why: Exclude<Refused, "connections">;
  readonly text: string;
}

type Refused = "penalty" | "startups" | "connections";

/** Those who are at the door: whom to let in, whom to drop for it, and whom not to let in for a while. */
export interface Strangers {
  /** Why a newcomer may not come in; undefined when it may. Others may have been dropped for it then. */
  objection(source: string): Objection | undefined;
  arrived(guest: Guest): void;
  /** Has logged in. */
  entered(guest: Guest): void;
  /** The connection is over; who never logged in may have offended. */
  left(guest: Guest, offence: Offence | undefined): void;
  /** Has proved who it is, and is one too many. */
  tooMany(source: string): void;
  /** Call it every few seconds: says how many were refused since the last time that was said. */
  report(): void;
}

/** Those refused are told of at once when it begins, and then so often. */
const REPORT_MS = 60_000;

/** However few descriptors there are, somebody goes for each newcomer. */
const CROWDED: Limits["startups"] = { begin: 0, rate: 100, full: 0 };

export function createStrangers(options: StrangersOptions): Strangers {
  const { events, clock, random = Math.random } = options;
  const strangers = new Set<Guest>();
  const penalties = new Penalties();
  const refusals = new Map<Refused, { count: number; source: string; toldAt: number }>();

  const tell = (why: Refused, entry: { count: number; source: string; toldAt: number }): void => {
    events.emit({ type: "connections.refused", why, count: entry.count, source: entry.source });
    entry.count = 0;
    entry.toldAt = clock.now();
  };

  const count = (why: Refused, source: string): void => {
    const entry = refusals.get(why) ?? { count: 0, source, toldAt: Number.NEGATIVE_INFINITY };
    refusals.set(why, entry);
    entry.count += 1;
    entry.source = source;
    if (clock.now() - entry.toldAt >= REPORT_MS) tell(why, entry);
  };

  const heldBack = (source: string): Objection | undefined => {
    if (!options.limits().penalties) return undefined;
    const until = penalties.heldUntil(source, clock.now());
    if (until === undefined || options.known(source)) return undefined;
    count("penalty", source);
    const wait = formatDuration(Math.ceil((until - clock.now()) / 1_000) * 1_000);
    return {
      why: "penalty",
      text: `too many failed logins or broken connections from your address: it is let in again in ${wait}`,
    };
  };

  /** Asked until there is room: `full` may have been lowered. */
  const crowd = (source: string): Objection | undefined => {
    for (;;) {
      const startups = options.room() ? options.limits().startups : CROWDED;
      const verdict = gate({ strangers, source, startups, now: clock.now(), random: random() });
      if (verdict.kind === "admit") return undefined;
      if (verdict.kind === "refuse") {
        count("startups", source);
        return {
          why: "startups",
          text: "too many connections that have not logged in: try again in a few seconds",
        };
      }
      const { victim } = verdict;
      strangers.delete(victim);
      count("startups", victim.source);
      victim.drop("dropped for another: too many connections that have not logged in");
      if (startups === CROWDED || strangers.size < startups.full) return undefined;
    }
  };

  return {
    objection: (source) => heldBack(source) ?? crowd(source),
    arrived: (guest) => void strangers.add(guest),
    entered(guest) {
      strangers.delete(guest);
      penalties.trust(guest.source, clock.now());
    },
    left(guest, offence) {
      strangers.delete(guest);
      if (offence === undefined || !options.limits().penalties || options.known(guest.source)) return;
      const { source } = guest;
      const penalty = penalties.add(source, offence, clock.now());
      if (!penalty) return;
      const until = new Date(penalty.until).toISOString();
      events.emit({ type: "source.refused", source, until, reason: REASONS[penalty.offence] });
    },
    tooMany: (source) => count("connections", source),
    report() {
      for (const [why, entry] of refusals) {
        if (entry.count > 0 && clock.now() - entry.toldAt >= REPORT_MS) tell(why, entry);
      }
    },
  };
}

const REASONS: Record<Offence, string> = {
  failed_logins: "logins from there failed again and again",
  broke_protocol: "connections from there did not keep to the SSH protocol",
  dawdled: "connections from there spoke and did not log in",
};
