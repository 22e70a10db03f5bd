import type { Client } from "./client.ts";

/** Clients that no worker has yet, in the order in which they came. */
export class Queue implements Iterable<Client> {
  #clients = new Set<Client>();

  [Symbol.iterator](): Iterator<Client> {
    return this.#clients[Symbol.iterator]();
  }

  add(client: Client): void {
    this.#clients.add(client);
  }

  /** One that a worker was to have, and has not. */
  putBack(client: Client): void {
    this.#clients = new Set([client, ...this.#clients]);
  }

  delete(client: Client): void {
    this.#clients.delete(client);
  }

  /** Who goes when there are too many: of the source that has the most, the one that came first. */
  get worst(): Client | undefined {
    const bySource = new Map<string, { readonly first: Client; count: number }>();
    let most: { readonly first: Client; readonly count: number } | undefined;
    for (const client of this.#clients) {
      const entry = bySource.get(client.source) ?? { first: client, count: 0 };
      entry.count += 1;
      bySource.set(client.source, entry);
      if (!most || entry.count > most.count) most = entry;
    }
    return most?.first;
  }
}
