import type { ForwardTarget } from "../../config/types.ts";
import { LazysshError } from "../../util/errors.ts";
import type { Machine, Provider } from "../provider.ts";

/**
 * The provider that starts nothing: its one machine is there all the time, at the configured address. Only the
 * one who has asked to destroy it sees it `gone`, until it is created again, so that a caller that waits for the
 * end of what it stopped is answered here as everywhere.
 */
export function createForwardProvider(target: ForwardTarget): Provider {
  const id = `forward:${target.to}`;
  let given: { readonly token: string | undefined } | undefined = { token: undefined };

  const machine = (): Machine => ({
    id,
    phase: given ? "running" : "gone",
    address: given ? target.to : undefined,
    reason: given ? undefined : "given back; a forward target itself is never stopped",
    token: given?.token,
  });

  const requireOwn = (asked: string): void => {
    if (asked !== id) {
      throw new LazysshError(
        "MACHINE_NOT_FOUND",
        `target ${target.name} forwards to ${target.to}; it has no machine ${asked}`,
      );
    }
  };

  return {
    type: "forward",
    summary: `forward to ${target.to}`,
    async volumesFree(signal) {
      signal.throwIfAborted();
      return { done: true };
    },
    async create({ token }, signal) {
      signal.throwIfAborted();
      given = { token };
      return machine();
    },
    async find(token, signal) {
      signal.throwIfAborted();
      return given?.token === token ? machine() : undefined;
    },
    async describe(asked, signal) {
      signal.throwIfAborted();
      requireOwn(asked);
      return machine();
    },
    async attach(asked, signal) {
      signal.throwIfAborted();
      requireOwn(asked);
      return { done: true };
    },
    async destroy(asked, signal) {
      signal.throwIfAborted();
      requireOwn(asked);
      given = undefined;
    },
    remedy() {
      return "nothing: a forward target starts no machine";
    },
    async list(signal) {
      signal.throwIfAborted();
      return [];
    },
  };
}
