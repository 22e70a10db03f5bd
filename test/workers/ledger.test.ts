import { expect, it } from "vitest";
import type { LazysshEvent } from "../../src/observe/index.ts";
import { createLedger } from "../../src/workers/ledger.ts";

const WHO = { user: "alice", key: "SHA256:x" };
const at = (connection: string) => ({ connection, client: `${connection}:1` });
const channel = (connection: string, id: number, target: string) =>
  ({ ...at(connection), ...WHO, channel: id, target, port: 22 }) as const;

it("ends what a worker has left open, with sums as far as they are known, and nothing that is over", () => {
  const ledger = createLedger();
  const past: LazysshEvent[] = [
    { type: "connection.open", ...at("a") },
    { type: "connection.auth", ...at("a"), accepted: true, login: "jump", ...WHO },
    { type: "connection.open", ...at("b") },
    { type: "connection.open", ...at("c") },
    { type: "channel.open", ...channel("a", 0, "archiver") },
    { type: "channel.open", ...channel("a", 1, "archiver") },
    { type: "channel.open", ...channel("a", 2, "db") },
    { type: "channel.close", ...channel("a", 2, "db"), bytesUp: 1, bytesDown: 2, reason: "", seconds: 1 },
    { type: "connection.close", ...at("c"), reason: "", seconds: 1, channels: 0, bytesUp: 0, bytesDown: 0 },
    { type: "server.notice", reason: "nobody's" },
  ];
  for (const event of past) ledger.note(event, 1_000);
  expect([ledger.connections, ledger.channels]).toEqual([2, 2]);
  const carried = [{ connection: "a", target: "archiver", total: 30, fromMachine: 10 }];
  const end = { reason: "a crash", seconds: 2 };
  expect(ledger.close("a crash", 3_000, carried)).toEqual([
    { type: "channel.close", ...channel("a", 0, "archiver"), ...end, bytesUp: 20, bytesDown: 10 },
    { type: "channel.close", ...channel("a", 1, "archiver"), ...end, bytesUp: 0, bytesDown: 0 },
    { type: "connection.close", ...at("a"), ...WHO, ...end, channels: 3, bytesUp: 21, bytesDown: 12 },
    { type: "connection.close", ...at("b"), ...end, channels: 0, bytesUp: 0, bytesDown: 0 },
  ]);
  expect([ledger.connections, ledger.channels]).toEqual([0, 0]);
});
