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
  /** There is nobody to drop. */
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
 * As long as there is room, nobody is dropped who has been at a step for less, milliseconds: clients speak at once, a key
 * exchange is two round trips, a login may need somebody's finger or passphrase.
 */
const PATIENCE_MS: Record<Progress, number> = {
  [PROGRESS.SILENT]: 1_000,
  [PROGRESS.IDENTIFIED]: 2_000,
  [PROGRESS.EXCHANGED]: 3_000,
  [PROGRESS.TRYING]: 20_000,
};

/**
 * Who is let in when many connect and do not log in. As sshd's MaxStartups, from `begin` on somebody is dropped, with a
 * probability that rises from `rate` percent to 100 at `full`. Other than there it is not the newcomer: of the address with
 * the most connections, and there of the step where most of them are, it is the one that has been there longest. So nobody keeps
 * others out by sitting there, at whatever step, not even those who come from the same address: they push out each other, and
 * an honest client passes. It has its chance to speak, because one connection is accepted in each turn of the event loop.
 */
export function gate<S extends Stranger>({
  strangers,
  source,
  startups,
  now,
  random,
}: Arrival<S>): Verdict<S> {
  if (random * 100 >= dropRate(strangers.size, startups)) return { kind: "admit" };
  const sources = new Map([[source, 1]]);
  for (const one of strangers) sources.set(one.source, (sources.get(one.source) ?? 0) + 1);
  // Of those who are there: the newcomer may be the only one from its address.
  let most = 0;
  for (const one of strangers) most = Math.max(most, sources.get(one.source) ?? 0);
  const crowd = new Map<Progress, { count: number; oldest: S }>();
  for (const one of strangers) {
    if (sources.get(one.source) !== most) continue;
    const step = crowd.get(one.progress);
    if (!step) crowd.set(one.progress, { count: 1, oldest: one });
    else {
      step.count += 1;
      if (one.since < step.oldest.since) step.oldest = one;
    }
  }
  const full = strangers.size >= startups.full;
  let worst: { count: number; oldest: S } | undefined;
  for (const step of crowd.values()) {
    const { progress, since } = step.oldest;
    if (!full && now - since < PATIENCE_MS[progress]) continue;
    if (
      !worst ||
      step.count > worst.count ||
      (step.count === worst.count && progress < worst.oldest.progress)
    )
      worst = step;
  }
  if (worst) return { kind: "replace", victim: worst.oldest };
  return full ? { kind: "refuse" } : { kind: "admit" };
}

/** Percent of newcomers for whom somebody is dropped. */
export function dropRate(strangers: number, { begin, rate, full }: LimitsConfig["startups"]): number {
  if (strangers < begin) return 0;
  if (strangers >= full) return 100;
  return rate + ((100 - rate) * (strangers - begin)) / (full - begin);
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
