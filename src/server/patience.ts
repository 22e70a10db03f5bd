import type { Clock } from "../util/clock.ts";
import { formatDuration } from "../util/duration.ts";
import type { Limits } from "./limits.ts";

export interface PatienceOptions {
  readonly clock: Clock;
  readonly limits: Pick<Limits, "loginGraceMs" | "keyExchangeMs" | "rekeyingMs">;
  /** When the client came, milliseconds since the epoch. */
  readonly cameAt: number;
  /** Something took too long. */
  readonly onOver: (reason: string) => void;
}

/** Not an error, which would hold its stack. */
const OVER = "over";

/** How long a client may take for its login and for each key exchange; the first has begun. */
export interface Patience {
  /** Another key exchange has begun, or goes on. */
  exchanging(): void;
  exchanged(): void;
  /** The client has proved who it is. */
  known(): void;
  /** Nothing is waited for any more. Idempotent. */
  end(): void;
}

export function createPatience({ clock, limits, cameAt, onOver }: PatienceOptions): Patience {
  /** `passed` of the time is over. */
  function within(ms: number, what: string, passed = 0): AbortController {
    const stop = new AbortController();
    clock.sleep(ms - passed, stop.signal).then(
      () => onOver(`${what} took longer than ${formatDuration(ms)}`),
      () => undefined,
    );
    return stop;
  }
  // Given up when they are over: most connections have none to wait for, most of the time.
  let login: AbortController | undefined = within(limits.loginGraceMs, "the login", clock.now() - cameAt);
  let exchange: AbortController | undefined = within(limits.keyExchangeMs, "the key exchange");
  const known = (): void => {
    login?.abort(OVER);
    login = undefined;
  };
  const exchanged = (): void => {
    exchange?.abort(OVER);
    exchange = undefined;
  };

  return {
    exchanging() {
      exchanged();
      exchange = within(limits.rekeyingMs, "the key exchange");
    },
    exchanged,
    known,
    end() {
      known();
      exchanged();
    },
  };
}
