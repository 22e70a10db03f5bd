import type { Clock } from "../util/clock.ts";
import { type Deadline, deadline } from "../util/deadline.ts";
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
  function within(ms: number, what: string, passed = 0): Deadline {
    const reason = `${what} took longer than ${formatDuration(ms)}`;
    const limit = deadline(clock, ms - passed, () => reason);
    limit.signal.addEventListener("abort", () => onOver(reason));
    return limit;
  }
  const login = within(limits.loginGraceMs, "the login", clock.now() - cameAt);
  let exchange = within(limits.keyExchangeMs, "the key exchange");

  return {
    exchanging() {
      exchange[Symbol.dispose]();
      exchange = within(limits.rekeyingMs, "the key exchange");
    },
    exchanged: () => exchange[Symbol.dispose](),
    known: () => login[Symbol.dispose](),
    end() {
      login[Symbol.dispose]();
      exchange[Symbol.dispose]();
    },
  };
}
