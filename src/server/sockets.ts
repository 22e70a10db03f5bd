import type { OpenFiles } from "./open-files.ts";

/**
 * Counts the sockets of clients and targets against the limit of open files, and keeps some back: those who are in must be able
 * to reach their targets when no more clients can be let in, and the cloud must be reachable when no more targets can.
 */
export interface Sockets {
  /** Whether one more client can be let in. */
  readonly roomForClient: boolean;
  /** Whether one more target can be connected to. */
  readonly roomForTarget: boolean;
  /** One is, or is about to be, open. Returns what to call when it is closed; calling that twice is harmless. */
  take(): () => void;
}

/** Descriptors for everything else: requests to the cloud, files, metrics, controls. */
const LEAST_RESERVE = 16;
const MOST_RESERVE = 128;

export function createSockets({ limit, used }: OpenFiles): Sockets {
  const room = limit - used;
  const reserve = Math.min(Math.max(Math.floor(room / 4), LEAST_RESERVE), MOST_RESERVE);
  let taken = 0;
  return {
    get roomForClient() {
      return taken < room - 2 * reserve;
    },
    get roomForTarget() {
      return taken < room - reserve;
    },
    take() {
      let held = true;
      taken += 1;
      return () => {
        if (held) taken -= 1;
        held = false;
      };
    },
  };
}
