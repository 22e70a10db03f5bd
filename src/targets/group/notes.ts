import type { Machine, Notes } from "../../providers/index.ts";

/**
 * What lazyssh servers write on machines, so that any of them, or a cron job, can tell whether a machine is still needed. Times are UTC, to
 * the second, so that they compare as strings: `2026-11-25T02:34:13Z`.
 */
export const NOTE = {
  /** Until when some server needs the machine. After that it is nobody's, and may be ended by anybody. */
  expires: "expires",
  /** Which start of the target made it, counted over all servers of a group. */
  generation: "generation",
  /** A server that is about to end it: its id and the time. */
  stopping: "stopping",
} as const;

const LEASE = "lease:";
/** How exact the times are. */
const SECOND_MS = 1_000;

/** Until when one server of a group needs the machine. */
export function leaseNote(server: string): string {
  return `${LEASE}${server}`;
}

/** How long a lease lasts that is not renewed: what a crashed server's machine costs at the most. */
export const LEASE_MS = 5 * 60_000;
/** How often it is renewed. */
export const RENEW_MS = 60_000;
/** A server that is about to end a machine says so again at least this often; one that said so longer ago has crashed. */
const STOPPING_MS = 30_000;

export function noteTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

/** Undefined for what is no time: a note that somebody else has written protects nothing. */
function parseTime(text: string | undefined): number | undefined {
  const ms = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

/** Ids of the other servers that hold the machine now. */
export function otherHolders({ notes }: Machine, server: string, now: number): string[] {
  return Object.entries(notes).flatMap(([key, value]) => {
    if (!key.startsWith(LEASE)) return [];
    const holder = key.slice(LEASE.length);
    const until = parseTime(value);
    return holder !== server && until !== undefined && until > now ? [holder] : [];
  });
}

/** Whether this server has written on the machine that it needs it, also if that was long ago. */
export function hasOwnLease({ notes }: Machine, server: string): boolean {
  return leaseNote(server) in notes;
}

/** Whether no server needs the machine any more. */
export function isExpired(machine: Machine, now: number): boolean {
  const until = parseTime(machine.notes[NOTE.expires]);
  return (until === undefined || until <= now) && otherHolders(machine, "", now).length === 0;
}

export function stoppingNote(server: string, now: number): string {
  return `${server} ${noteTime(now)}`;
}

/** The other server that is about to end the machine, if any. */
export function stoppedBy(
  { notes, startedAt = 0 }: Machine,
  server: string,
  now: number,
): string | undefined {
  const [who = "", at] = (notes[NOTE.stopping] ?? "").split(" ");
  const since = parseTime(at);
  // One that was started since then has been stopped.
  if (since === undefined || since + SECOND_MS <= startedAt) return undefined;
  return who !== "" && who !== server && since > now - STOPPING_MS ? who : undefined;
}

/** 0 for a machine without one. */
export function generationOf(notes: Notes): number {
  const generation = Number(notes[NOTE.generation]);
  return Number.isSafeInteger(generation) && generation > 0 ? generation : 0;
}
