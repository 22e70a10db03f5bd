import type { EventStream, LazysshEvent } from "../observe/index.ts";

type ChannelOpen = Extract<LazysshEvent, { type: "channel.open" }>;

/** Who is there, read off the event stream. */
export interface Usage {
  /** Connections that have logged in. */
  readonly connections: number;
  /** Open channels, in words, the oldest first: "jump from 192.0.2.7:50122 to archiver:22". */
  readonly channels: readonly string[];
  /** Resolves when no channel is open, now or later. */
  unused(): Promise<void>;
}

export function createUsage(events: EventStream): Usage {
  const connections = new Set<string>();
  const channels = new Map<string, string>();
  let waiting: (() => void)[] = [];
  const keyOf = ({ connection, channel }: Pick<ChannelOpen, "connection" | "channel">) =>
    `${connection} ${channel}`;
  events.subscribe((event) => {
    switch (event.type) {
      case "connection.auth":
        if (event.accepted) connections.add(event.connection);
        break;
      case "connection.close":
        connections.delete(event.connection);
        break;
      case "channel.open": {
        const { user, client, target, port } = event;
        channels.set(keyOf(event), `${user} from ${client} to ${target}:${port}`);
        break;
      }
      case "channel.close":
        channels.delete(keyOf(event));
        if (channels.size > 0) break;
        for (const resolve of waiting) resolve();
        waiting = [];
        break;
      default:
        break;
    }
  });
  return {
    get connections() {
      return connections.size;
    },
    get channels() {
      return [...channels.values()];
    },
    unused: () => (channels.size === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
  };
}
