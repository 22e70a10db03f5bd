import type { LeaseStatusLine } from "../by-hand.ts";
import type { Stage, Tenant, Traffic } from "../lease.ts";
import type { LeaseId, LeaseStatus } from "./state.ts";

interface Entry {
  readonly tenant: Tenant;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly release: () => void;
  /** Aborts when the machine is taken away. */
  readonly taken: AbortController;
  readonly grant: (host: string) => void;
  readonly refuse: (error: unknown) => void;
  traffic: () => Traffic;
}

const NOTHING: Traffic = { total: 0, fromMachine: 0 };

/** What a lease is answered. */
export interface Answer {
  /** Resolves with the machine's host, or rejects with why there is none; neither, for one that leaves before. */
  readonly host: Promise<string>;
  readonly taken: AbortSignal;
}

/** The leases of a machine: what they are answered, who they belong to, and what goes through them. */
export class Tenancy {
  readonly #entries = new Map<LeaseId, Entry>();
  /** Bytes of connections that are over. */
  #past = 0;

  enter(id: LeaseId, tenant: Tenant, since: number, release: () => void): Answer {
    const taken = new AbortController();
    const host = new Promise<string>((grant, refuse) => {
      this.#entries.set(id, { tenant, since, release, taken, grant, refuse, traffic: () => NOTHING });
    });
    return { host, taken: taken.signal };
  }

  grant(id: LeaseId, host: string): void {
    this.#entries.get(id)?.grant(host);
  }

  refuse(id: LeaseId, error: unknown): void {
    const entry = this.#entries.get(id);
    this.leave(id);
    entry?.refuse(error);
  }

  revoke(id: LeaseId, error: unknown): void {
    const entry = this.#entries.get(id);
    this.leave(id);
    entry?.taken.abort(error);
  }

  /** Tells those who listen how far things have come. */
  tell(stage: Stage): void {
    for (const { tenant } of [...this.#entries.values()]) tenant.told?.(stage);
  }

  carries(id: LeaseId, traffic: () => Traffic): void {
    const entry = this.#entries.get(id);
    if (entry) entry.traffic = traffic;
  }

  leave(id: LeaseId): void {
    this.#past += this.#entries.get(id)?.traffic().total ?? 0;
    this.#entries.delete(id);
  }

  /** Bytes so far; never less than before. */
  get traffic(): number {
    return [...this.#entries.values()].reduce((sum, { traffic }) => sum + traffic().total, this.#past);
  }

  /** Whether none of the connections that there are has ever had a byte from the machine. */
  get unanswered(): boolean {
    const connections = [...this.#entries.values()].filter(({ tenant }) => !tenant.byHand);
    return connections.length > 0 && connections.every(({ traffic }) => traffic().fromMachine === 0);
  }

  get onlyConnections(): boolean {
    return this.#entries.size > 0 && [...this.#entries.values()].every(({ tenant }) => !tenant.byHand);
  }

  has(user: string): boolean {
    return [...this.#entries.values()].some(({ tenant }) => tenant.user?.name === user);
  }

  get clients(): readonly string[] {
    return [...this.#entries.values()].flatMap(({ tenant }) => (tenant.byHand ? [] : [tenant.client]));
  }

  /** What takes back each lease that a person holds. */
  byHand(): (() => void)[] {
    return [...this.#entries.values()].flatMap(({ tenant, release }) => (tenant.byHand ? [release] : []));
  }

  lines(leases: ReadonlyMap<LeaseId, LeaseStatus>): LeaseStatusLine[] {
    return [...this.#entries].flatMap(([id, { tenant, since }]) => {
      const status = leases.get(id);
      if (!status) return [];
      const { connection, client, byHand } = tenant;
      const user = tenant.user?.name;
      return [{ kind: byHand ? "by hand" : "channel", user, client, connection, since, status } as const];
    });
  }
}
