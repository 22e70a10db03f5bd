import { reportTargets, type ServerFacts, type ServerStatus } from "../report/status.ts";
import type { ByHand, Dropped } from "../targets/by-hand.ts";
import type { Clock } from "../util/clock.ts";
import type { Request } from "./protocol.ts";

export interface PerformContext {
  readonly machines: ByHand;
  readonly facts: ServerFacts;
  readonly clock: Clock;
  /** Aborts when who asked has left. */
  readonly gone: AbortSignal;
  readonly onWaiting: (what: string) => void;
}

/** Does what was asked, and answers what is said as `ok`. */
export async function perform(
  request: Request,
  context: PerformContext,
): Promise<ServerStatus | Dropped | { readonly target: string }> {
  const { machines, facts, clock, gone, onWaiting } = context;
  switch (request.do) {
    case "status": {
      const { volumes } = request;
      return { server: facts, targets: await reportTargets({ machines, clock, volumes, signal: gone }) };
    }
    case "start": {
      const { target, forMs, lift } = request;
      await machines.hold(target, { forMs, lift, signal: gone, onWaiting });
      return { target };
    }
    case "stop":
      return machines.drop(request.target, { cut: request.cut });
  }
}
