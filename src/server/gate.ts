import { isIPv6 } from "node:net";
import type { LimitsConfig } from "../config/access.ts";

/** How far somebody who has not logged in has come. */
export const PROGRESS = {
  /** Not a whole identification line yet. */
  SILENT: 0,
  IDENTIFIED: 1,
  /** Keys are in use. */
  EXCHANGED: 2,
  /** A login has been tried. */
  TRYING: 3,
} as const;

export type Progress = (typeof PROGRESS)[keyof typeof PROGRESS];

/** A connection that has not logged in. */
export interface Stranger {
  /** See {@link sourceOf}. */
  readonly source: string;
  readonly progress: Progress;
  /** When it last came further, or else when it came. Milliseconds. */
  readonly since: number;
}

export type Verdict<S> =
  | { readonly kind: "admit" }
  /** The newcomer may stay, and this one goes for it. */
  | { readonly kind: "replace"; readonly victim: S }
  | { readonly kind: "refuse" };

export interface Arrival<S> {
  /** Those who are there. */
  readonly strangers: ReadonlySet<S>;
  /** The newcomer's. */
  readonly source: string;
  readonly startups: LimitsConfig["startups"];
  readonly now: number;
  /** Of [0, 1). */
  readonly random: number;
}

/**
 * Who has spoken and comes no further for so long may be dropped for another. A key exchange and a login are a round trip
 * a step, so that an honest client comes further every second, unless somebody has to type a passphrase.
 */
const STALE_MS = 3_000;

/** Who has said nothing for so long will not; all clients speak at once. When there is no room, less will do. */
const SILENT_MS = 1_000;

/**
 * Who is let in when many connect and do not log in. As sshd's MaxStartups, from `begin` on somebody is dropped, with a
 * probability that rises from `rate` percent to 100 at `full`. Other than there it is not the newcomer who is dropped if
 * somebody deserves it more, and nobody is below `full` who does not: of the address with the most connections, who says nothing (the oldest first), and then who
 * comes no further. So nobody keeps others out by just sitting there, whatever the number, not even those who come from
 * the same address; while a crowd of honest clients, who all come further, is let in one after the other. A newcomer has
 * its chance, because clients send their identification at once, and one connection is accepted in each turn of the event loop.
 */
export function gate<S extends Stranger>({
  strangers,
  source,
  startups,
  now,
  random,
}: Arrival<S>): Verdict<S> {
  if (random * 100 >= dropRate(strangers.size, startups)) return { kind: "admit" };
  const counts = new Map([[source, 1]]);
  for (const one of strangers) counts.set(one.source, (counts.get(one.source) ?? 0) + 1);
  const most = Math.max(...counts.values());
  const full = strangers.size >= startups.full;
  let idle: S | undefined;
  let active: S | undefined;
  for (const one of strangers) {
    if (counts.get(one.source) !== most) continue;
    const patience = one.progress > PROGRESS.SILENT ? STALE_MS : full ? 0 : SILENT_MS;
    if (now - one.since >= patience) {
      if (!idle || rank(one, idle) < 0) idle = one;
    } else if (!active || one.progress < active.progress) active = one;
  }
  if (idle) return { kind: "replace", victim: idle };
  if (!full) return { kind: "admit" };
  // Those who come further are let come to their end, unless they are more than their share.
  if (counts.get(source) === most || !active) return { kind: "refuse" };
  return { kind: "replace", victim: active };
}

/** Percent of newcomers for whom somebody is dropped. */
export function dropRate(strangers: number, { begin, rate, full }: LimitsConfig["startups"]): number {
  if (strangers < begin) return 0;
  if (strangers >= full) return 100;
  return rate + ((100 - rate) * (strangers - begin)) / (full - begin);
}

/** Negative when `a` is to go before `b`. */
function rank(a: Stranger, b: Stranger): number {
  return a.progress - b.progress || a.since - b.since;
}

/**
 * What counts as one and the same: an IPv4 address, or the first 64 bits of an IPv6 one, because whoever has one of those has all
 * others with the same 64 bits, too.
 */
export function sourceOf(address: string): string {
  const [plain = ""] = address.split("%");
  if (!isIPv6(plain)) return address;
  const [head = "", tail] = plain.split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const after = tail === "" ? [] : tail.split(":");
    // An IPv4 tail is two groups, and never among the first four unless all of those are zero.
    const length = after.length + (tail.includes(".") ? 1 : 0);
    groups.push(...Array<string>(8 - groups.length - length).fill("0"), ...after);
  }
  const network = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(":")}::/64`;
}
