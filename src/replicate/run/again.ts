import { messageOf } from "../../util/errors.ts";
import type { RunOptions } from "./options.ts";
import { cureOf } from "./trouble.ts";

/** What only looks is done once more, over a connection that works, when the one that it had was lost. @throws what it fails of then. */
export async function lookAgain<T>(
  { say, signal, reconnect }: Pick<RunOptions, "say" | "signal"> & { reconnect: () => Promise<void> },
  look: () => Promise<T>,
): Promise<T> {
  try {
    return await look();
  } catch (error) {
    signal.throwIfAborted();
    if (cureOf(error) !== "reconnect") throw error;
    say(`${messageOf(error)}; trying again`);
    await reconnect();
    return look();
  }
}
