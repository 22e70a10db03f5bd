/** What clients may send before targets have taken it, for a number of channels together. */
export interface WindowBudget {
  /** Whether one more channel can have a window. */
  exhausted(): boolean;
  /** Bytes that a new channel's window may have, at most `most`. */
  take(most: number): number;
  /** Bytes by which a window may grow, at most `most`; 0 when they are needed for others. */
  more(most: number): number;
  /** Of a channel that is closed. */
  give(bytes: number): void;
}

/** Two packets: less would have a client wait after each. */
const LEAST = 64 * 1024;

/** Of what is left, so that the first channels have all they want, and the last ones something. */
const SHARE = 3;

export interface WindowBudgetOptions {
  /** What this one is a part of. */
  readonly whole?: WindowBudget;
  /** A new channel gets at most this part of what is left. Default: a third. */
  readonly firstShare?: number;
}

/** @param total Bytes. Windows that were granted when it was used up come on top, each of the least size. */
export function createWindowBudget(total: number, options: WindowBudgetOptions = {}): WindowBudget {
  const { whole, firstShare = 1 / SHARE } = options;
  let left = total;
  return {
    exhausted: () => left <= 0 || (whole?.exhausted() ?? false),
    take(most) {
      const share = Math.max(LEAST, Math.floor(left * firstShare));
      const granted = whole ? whole.take(Math.min(most, share)) : Math.min(most, share);
      left -= granted;
      return granted;
    },
    more(most) {
      const share = Math.min(most, Math.floor(left / SHARE));
      if (share < LEAST) return 0;
      const granted = whole ? whole.more(share) : share;
      left -= granted;
      return granted;
    },
    give(bytes) {
      left += bytes;
      whole?.give(bytes);
    },
  };
}
