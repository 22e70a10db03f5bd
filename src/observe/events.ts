import type { ErrorCode } from "../util/errors.ts";

/** Who it was: the user of the config, the key that signed, and the certificate that vouches for it, if one does. */
export interface Who {
  readonly user: string;
  /** Fingerprint, `SHA256:…`. */
  readonly key: string;
  /** Key id, serial number (decimal) and signer's fingerprint of the certificate. */
  readonly certificate?: string;
  readonly serial?: string;
  readonly authority?: string;
}

/**
 * Everything worth watching, as one typed stream. Log lines, metrics and pages are subscribers of it. `family` is there with a target that
 * is one of a family: the pattern in the config.
 */
export type LazysshEvent = Happening & { readonly family?: string };

type Happening =
  | { readonly type: "listening"; readonly host: string; readonly port: number }
  | { readonly type: "connection.open"; readonly connection: string; readonly client: string }
  /**
   * Connections that were not let in since the last time this was said: of an address that is refused (`penalty`), or that had logged in
   * when there were as many as may be (`connections`). Or some of too many that had not logged in were dropped (`startups`).
   * `source` is the last one's.
   */
  | {
      readonly type: "connections.refused";
      readonly why: "penalty" | "startups" | "connections";
      readonly count: number;
      readonly source: string;
    }
  /** Connections from this address are not let in until then (ISO 8601). */
  | {
      readonly type: "source.refused";
      readonly source: string;
      readonly until: string;
      readonly reason: string;
    }
  | ({ readonly type: "connection.auth"; readonly connection: string; readonly client: string } & AuthOutcome)
  /** The sums are of its channels; nobody is named when nobody logged in. */
  | ({
      readonly type: "connection.close";
      readonly connection: string;
      readonly client: string;
      readonly reason: string;
      readonly seconds: number;
      readonly channels: number;
      readonly bytesUp: number;
      readonly bytesDown: number;
    } & Partial<Who>)
  | ({ readonly type: "channel.open" } & ChannelSubject)
  | ({
      readonly type: "channel.refused";
      readonly code: ErrorCode;
      readonly reason: string;
    } & ChannelSubject)
  | ({
      readonly type: "channel.close";
      /** From the client, and to it. */
      readonly bytesUp: number;
      readonly bytesDown: number;
      readonly reason: string;
      readonly seconds: number;
    } & ChannelSubject)
  /** A session is over. */
  | ({
      readonly type: "session";
      readonly connection: string;
      readonly client: string;
      readonly channel: number;
      /** What was run, printable; undefined: a shell, or nothing, was asked for. */
      readonly command: string | undefined;
      /** The exit status; undefined when the client left before. */
      readonly status: number | undefined;
      readonly seconds: number;
    } & Who)
  /** Nothing was to be asked for. */
  | ({
      readonly type: "session.refused";
      readonly connection: string;
      readonly client: string;
      readonly channel: number;
      readonly code: ErrorCode;
      readonly reason: string;
    } & Who)
  | {
      readonly type: "machine.state";
      readonly target: string;
      readonly launch: string | undefined;
      readonly machine: string | undefined;
      readonly from: string;
      readonly to: string;
      readonly leases: number;
      readonly reason: string | undefined;
    }
  | {
      readonly type: "machine.waiting";
      readonly target: string;
      readonly machine: string | undefined;
      readonly waitingFor: string;
    }
  | {
      readonly type: "machine.retry";
      readonly target: string;
      readonly machine: string | undefined;
      readonly step: string;
      readonly attempt: number;
      readonly code: ErrorCode;
      readonly reason: string;
      readonly waitMs: number;
    }
  | {
      readonly type: "machine.failed";
      readonly target: string;
      readonly machine: string | undefined;
      readonly code: ErrorCode;
      readonly reason: string;
    }
  | {
      readonly type: "machine.leak_suspected";
      readonly target: string;
      readonly machine: string | undefined;
      readonly attempt: number;
      readonly reason: string;
      readonly remedy: string;
    }
  /** The cloud is about to take the machine away. `clients` are the addresses of those who use it. */
  | {
      readonly type: "machine.notice";
      readonly target: string;
      readonly machine: string;
      readonly reason: string;
      readonly clients: readonly string[];
    }
  /** No new connection is let to the machine any more, or again. */
  | {
      readonly type: "machine.unfit" | "machine.fit";
      readonly target: string;
      readonly machine: string;
      readonly reason: string;
    }
  | {
      readonly type: "machine.before_stop";
      readonly target: string;
      readonly machine: string;
      readonly seconds: number;
    }
  | {
      readonly type: "machine.before_stop_failed";
      readonly target: string;
      readonly machine: string;
      readonly reason: string;
      readonly remedy: string;
    }
  /** A machine of another server of the group is used, or ours is left to the others that use it. */
  | {
      readonly type: "machine.joined" | "machine.left_to_others";
      readonly target: string;
      readonly machine: string;
    }
  | {
      readonly type: "limit.reached";
      readonly target: string;
      /** As it is named in the config: `max_machines`, `budget`, `idle_timeout` … */
      readonly limit: string;
      readonly reason: string;
    }
  /** Somebody asked for something by hand: on the server itself, or, where a user is named, by a session. */
  | {
      readonly type: "control";
      readonly do: "status" | "start" | "stop";
      readonly target?: string;
      readonly forMs?: number | undefined;
      readonly lift?: boolean;
      readonly cut?: boolean;
      readonly user?: string;
      readonly connection?: string;
    }
  | { readonly type: "config.reloading"; readonly file: string; readonly why: "SIGHUP" | "file changed" }
  /** `kept`: attributes of the server block that are different in the file, and stay as they are until the next start. */
  | {
      readonly type: "config.reloaded";
      readonly file: string;
      readonly changes: readonly string[];
      readonly kept: readonly string[];
    }
  /** The config that was read before stays. */
  | { readonly type: "config.rejected"; readonly file: string; readonly problems: readonly string[] }
  /** Nobody new is let in; `channels` may go on for so long. */
  | {
      readonly type: "server.draining";
      readonly signal: string;
      readonly seconds: number;
      readonly channels: readonly string[];
    }
  | { readonly type: "server.stopping"; readonly signal: string; readonly machines: readonly string[] }
  | { readonly type: "server.warning"; readonly reason: string }
  /** Worth knowing, and nothing that has to be mended. */
  | { readonly type: "server.notice"; readonly reason: string };

/** `login` is the name that the client gave. */
export type AuthOutcome =
  | ({ readonly accepted: true; readonly login: string } & Who)
  | { readonly accepted: false; readonly login: string; readonly reason: string };

/** From where, by whom, and to what. */
export interface ChannelSubject extends Who {
  readonly connection: string;
  readonly client: string;
  readonly channel: number;
  readonly target: string;
  readonly port: number;
}

export type Subscriber = (event: LazysshEvent) => void;

/** The stream: those who do things emit, those who watch subscribe; neither knows the other. */
export interface EventStream {
  emit(event: LazysshEvent): void;
  /** Returns the function that ends the subscription. */
  subscribe(subscriber: Subscriber): () => void;
}

/** A stream in memory. Subscribers are called in order, at once; one that throws does not disturb the others. */
export function createEventStream(): EventStream {
  const subscribers = new Set<Subscriber>();
  return {
    emit(event) {
      for (const subscriber of subscribers) {
        try {
          subscriber(event);
        } catch {
          // A watcher must never change what it watches.
        }
      }
    },
    subscribe(subscriber) {
      subscribers.add(subscriber);
      return () => {
        subscribers.delete(subscriber);
      };
    },
  };
}
