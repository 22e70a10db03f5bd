import type { Channel, ChannelHost, ClientSide } from "../channel.ts";
import { type Identity, whoIs } from "../identity.ts";
import { printable, type Refusal, refusal } from "../refusal.ts";
import { type RunOptions, runSession } from "./run.ts";
import { openSession } from "./session.ts";

export interface BeginOptions extends RunOptions {
  readonly id: number;
  readonly client: ClientSide;
  /** Bytes the client may send before it is told that they were thrown away. */
  readonly window: number;
  readonly host: ChannelHost;
  /** Why nothing may be asked for any more, by anybody and by this client; undefined as long as it may. */
  readonly refusing: () => string | undefined;
  readonly expelled: () => string | undefined;
  /** It is over; CLOSE was sent if the client is still there. */
  readonly onEnd: (channel: Channel) => void;
}

/** Opens a session for somebody who may ask for something, and logs what came of it. */
export function beginSession(options: BeginOptions): Channel {
  const { identity, tenant, events, clock, onEnd } = options;
  const { connection, client } = tenant;
  const since = clock.now();
  const channel = openSession({
    id: options.id,
    client: options.client,
    window: options.window,
    host: options.host,
    forced: identity.permissions.command,
    async run(command, io) {
      // The session may be older than what speaks against it.
      const why = options.refusing() ?? options.expelled();
      if (why === undefined) return await runSession(command, options, io);
      io.err(`lazyssh: ${why}`);
      return 1;
    },
    onEnd({ command, status }) {
      onEnd(channel);
      events.emit({
        type: "session",
        connection,
        client,
        ...whoIs(identity),
        channel: options.id,
        command: command === undefined ? undefined : printable(command),
        status,
        seconds: (clock.now() - since) / 1000,
      });
    },
  });
  return channel;
}

/** Why somebody may not have sessions at all. */
export function sessionRefusal({ user, permissions }: Identity): Refusal | undefined {
  if (permissions.commands.length > 0) return undefined;
  const text = permissions.forwarding
    ? `this is a jump host: use ssh -J lazyssh TARGET; ${user} may not ask it for anything else`
    : `this is a jump host, and with this key ${user} may neither go through it nor ask it for anything`;
  return refusal("NOT_PERMITTED", text);
}
