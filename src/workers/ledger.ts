import type { LazysshEvent } from "../observe/index.ts";
import type { Carried } from "./desk.ts";

type Open = Extract<LazysshEvent, { type: "connection.open" }>;
type Accepted = Extract<LazysshEvent, { type: "connection.auth"; accepted: true }>;
type ChannelOpen = Extract<LazysshEvent, { type: "channel.open" }>;

interface Entry {
  readonly open: Open;
  readonly since: number;
  who: Omit<Accepted, "type" | "connection" | "client" | "accepted" | "login"> | undefined;
  readonly channels: Map<number, { readonly event: ChannelOpen; readonly since: number }>;
  opened: number;
  bytesUp: number;
  bytesDown: number;
}

/** What a worker has, read off its events, so that an end can be logged of what it can say nothing of any more. */
export interface Ledger {
  readonly connections: number;
  readonly channels: number;
  note(event: LazysshEvent, now: number): void;
  /** The ends of all that is open, as the worker would have told them. `carried`: see {@link Carried}. */
  close(reason: string, now: number, carried: readonly Carried[]): LazysshEvent[];
}

export function createLedger(): Ledger {
  const entries = new Map<string, Entry>();

  const note = (event: LazysshEvent, now: number): void => {
    if (event.type === "connection.open") {
      const channels: Entry["channels"] = new Map();
      const nothing = { who: undefined, opened: 0, bytesUp: 0, bytesDown: 0 };
      entries.set(event.connection, { open: event, since: now, channels, ...nothing });
      return;
    }
    const entry = "connection" in event ? entries.get(event.connection ?? "") : undefined;
    if (!entry) return;
    switch (event.type) {
      case "connection.close":
        entries.delete(event.connection);
        break;
      case "connection.auth": {
        if (!event.accepted) break;
        const { type, connection, client, accepted, login, ...who } = event;
        entry.who = who;
        break;
      }
      case "channel.open":
        entry.channels.set(event.channel, { event, since: now });
        entry.opened += 1;
        break;
      case "channel.close":
        entry.channels.delete(event.channel);
        entry.bytesUp += event.bytesUp;
        entry.bytesDown += event.bytesDown;
        break;
      default:
        break;
    }
  };

  return {
    get connections() {
      return entries.size;
    },
    get channels() {
      return [...entries.values()].reduce((sum, { channels }) => sum + channels.size, 0);
    },
    note,
    close(reason, now, carried) {
      const left = [...carried];
      /** Of several channels to one target it is not known which lease is whose; their sum is right. */
      const bytesOf = ({ connection, target }: ChannelOpen) => {
        const at = left.findIndex((one) => one.connection === connection && one.target === target);
        const { total, fromMachine } = left.splice(at, at < 0 ? 0 : 1)[0] ?? { total: 0, fromMachine: 0 };
        return { bytesUp: total - fromMachine, bytesDown: fromMachine };
      };
      const ends: LazysshEvent[] = [];
      for (const { open, since, who, channels, ...sums } of [...entries.values()]) {
        let { bytesUp, bytesDown } = sums;
        for (const { event, since: opened } of channels.values()) {
          const bytes = bytesOf(event);
          bytesUp += bytes.bytesUp;
          bytesDown += bytes.bytesDown;
          ends.push({ ...event, type: "channel.close", ...bytes, reason, seconds: (now - opened) / 1_000 });
        }
        const seconds = (now - since) / 1_000;
        const end = { reason, seconds, channels: sums.opened, bytesUp, bytesDown };
        ends.push({ ...open, type: "connection.close", ...who, ...end });
      }
      entries.clear();
      return ends;
    },
  };
}
