import { DEFAULT_LIMITS_CONFIG, type LimitsConfig } from "../config/access.ts";

/** What one client may cost, and how long it may take. All durations in milliseconds. */
export interface Limits {
  /** From the TCP connection to an accepted login. Default 30 s. */
  readonly loginGraceMs: number;
  /** For the first key exchange, from the TCP connection on. Default 20 s. */
  readonly keyExchangeMs: number;
  /** For a later one, which on a slow line waits behind all the data that is under way. Default 2 min. */
  readonly rekeyingMs: number;
  /** Login requests that may fail, `none` included, before the connection is ended. Default 6. */
  readonly authTries: number;
  /** Connections that have not logged in: see LimitsConfig. */
  readonly startups: LimitsConfig["startups"];
  /** Whether addresses whose connections offend are refused for a while. Default true; a test of offences turns it off. */
  readonly penalties: boolean;
  /** Connections that have logged in. Default 1000. */
  readonly connections: number;
  /** Channels of one connection, opening and closing ones included. Default 256. */
  readonly channels: number;
  /**
   * Bytes a client may send on a channel before its target has taken them, once its window has grown. Default 8 MiB: enough for
   * 80 MB/s over 100 ms, and more would have OpenSSH's client burn its CPU. Where there are many channels it is less, see window-budget.ts.
   */
  readonly window: number;
  /** After so long without a sign of life the client is asked for one. Default 15 s. */
  readonly keepaliveMs: number;
  /**
   * After so long without a sign of life the connection is given up, and its machines with it. Default 55 s: looked at
   * every third of `keepaliveMs`, a client that vanished is noticed within 60 s.
   */
  readonly deadAfterMs: number;
  /** Bytes in either direction, and time, after which keys are exchanged anew. Default 1 GiB, 1 h. */
  readonly rekeyBytes: number;
  readonly rekeyMs: number;
  /** How long a machine that was booted during the login is kept for the channel that is to come. Default 30 s. */
  readonly handoverMs: number;
  /** For connecting to the machine's port once the machine is there. Default 10 s. */
  readonly dialMs: number;
  /** How long a client, or a target that its client has left, may take to end what we have ended. Default 3 s. */
  readonly closeMs: number;
}

/** What the config says, and what it does not. */
export function limitsOf({ clientTimeoutMs, ...config }: LimitsConfig): Limits {
  return {
    ...config,
    penalties: true,
    keyExchangeMs: 20_000,
    rekeyingMs: 120_000,
    window: 8 * 1024 * 1024,
    keepaliveMs: clientTimeoutMs / 4,
    // A beat, a third of the above, may pass before it is noticed.
    deadAfterMs: (clientTimeoutMs * 11) / 12,
    handoverMs: 30_000,
    dialMs: 10_000,
    closeMs: 3_000,
  };
}

export const DEFAULT_LIMITS: Limits = limitsOf(DEFAULT_LIMITS_CONFIG);
