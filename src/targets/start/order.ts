import type { Machine, Notes } from "../../providers/index.ts";
import { asLazysshError, LazysshError } from "../../util/errors.ts";
import { backoffMs } from "../../util/retry.ts";
import type { StepContext } from "./step-context.ts";

export interface Order {
  readonly token: string;
  /** Written on the machine. */
  readonly notes: Notes;
}

export type Ordered =
  | { readonly machine: Machine }
  /** `exists`: whether the order may have made a machine although no answer says so. */
  | { readonly error: LazysshError; readonly exists: "no" | "maybe" };

/** Orders the machine; where there is no capacity for it, the next of the provider's alternatives. */
export async function order(context: StepContext, what: Order): Promise<Ordered> {
  const { alternatives } = context.provider;
  const tried: string[] = [];
  for (let alternative = 0; ; alternative++) {
    const ordered = await orderOne(context, what, alternative);
    if (!("error" in ordered) || ordered.error.code !== "NO_CAPACITY" || ordered.exists === "maybe") {
      return ordered;
    }
    tried.push(alternatives[alternative] ?? "");
    const next = alternatives[alternative + 1];
    if (next === undefined || context.signal.aborted)
      return { ...ordered, error: ofAll(ordered.error, tried) };
    // Another server of the group may have got further, with the same token.
    const made = await context.provider.find(what.token, context.signal).catch(() => undefined);
    if (made) return { machine: made };
    context.waiting(`an order of ${next}: there is no capacity for ${tried.join(", ")}`);
  }
}

/** The last refusal, and what was refused before it. */
function ofAll(error: LazysshError, tried: readonly string[]): LazysshError {
  if (tried.length === 1) return error;
  const message = `${error.message}; nor was there capacity for ${tried.slice(0, -1).join(", ")}`;
  return new LazysshError(error.code, message, { cause: error, retryable: error.retryable });
}

/**
 * An order under way is never interrupted, because its effect would be unknown: an unwanted one ends at its next answer. An attempt
 * whose answer was lost is made again with the same token.
 */
async function orderOne(context: StepContext, what: Order, alternative: number): Promise<Ordered> {
  const { provider, clock, signal } = context;
  const uninterrupted = new AbortController().signal;
  let lost = false;
  for (let attempt = 1; ; attempt++) {
    const exists = lost ? "maybe" : "no";
    if (signal.aborted) return { error: asLazysshError(signal.reason), exists };
    try {
      return { machine: await provider.create({ ...what, alternative }, uninterrupted) };
    } catch (cause) {
      const error = asLazysshError(cause);
      lost ||= error.retryable && error.code !== "THROTTLED";
      if (!error.retryable) return { error, exists: lost ? "maybe" : "no" };
      const waitMs = backoffMs(attempt);
      context.retrying("order a machine", { error, attempt, waitMs });
      await clock.sleep(waitMs, signal).catch(() => undefined);
    }
  }
}
