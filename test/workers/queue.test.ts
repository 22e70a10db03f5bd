import { Socket } from "node:net";
import { expect, it } from "vitest";
import { Client } from "../../src/workers/client.ts";
import { Queue } from "../../src/workers/queue.ts";

const client = (id: string, source: string) =>
  new Client(
    {
      socket: new Socket(),
      tenant: { connection: id, client: `${source}:1` },
      address: source,
      source,
      cameAt: 0,
    },
    () => undefined,
  );

it("keeps the order in which clients came, also of one that is put back", () => {
  const queue = new Queue();
  const [a, b, c] = [client("a", "x"), client("b", "x"), client("c", "x")];
  for (const one of [a, b, c]) queue.add(one);
  queue.delete(a);
  queue.putBack(a);
  queue.delete(b);
  expect([...queue]).toEqual([a, c]);
});

it("gives up the first of those who are the most, and nobody who comes alone", () => {
  const queue = new Queue();
  expect(queue.worst).toBeUndefined();
  const [alone, ...many] = [client("a", "alone"), client("b", "many"), client("c", "many")];
  for (const one of [alone, ...many]) queue.add(one);
  expect(queue.worst).toBe(many[0]);
});
