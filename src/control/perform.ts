import { setMaxListeners } from "node:events";
import type { ByHand, Dropped, TargetStatus } from "../targets/by-hand.ts";
import type { Clock } from "../util/clock.ts";
import { deadline, unlessAborted } from "../util/deadline.ts";
import { LazysshError, messageOf } from "../util/errors.ts";
import type { Request, ServerFacts, ServerStatus, TargetReport } from "./protocol.ts";

export interface PerformContext {
  readonly machines: ByHand;
  readonly facts: ServerFacts;
  readonly clock: Clock;
  /** Aborts when who asked has left. */
  readonly gone: AbortSignal;
  readonly onWaiting: (what: string) => void;
}

/** Who asks for the status wants it now: volumes of a cloud that does not answer are left out, with the reason. */
const VOLUMES_MS = 10_000;

/** Does what was asked, and answers what is said as `ok`. */
export async function perform(
  request: Request,
  context: PerformContext,
): Promise<ServerStatus | Dropped | { readonly target: string }> {
  const { machines, gone, onWaiting } = context;
  switch (request.do) {
    case "status":
      return { server: context.facts, targets: await reports(request.volumes, context) };
    case "start": {
      const { target, forMs, lift } = request;
      await machines.hold(target, { forMs, lift, signal: gone, onWaiting });
      return { target };
    }
    case "stop":
      return machines.drop(request.target, { cut: request.cut });
  }
}

async function reports(
  volumes: boolean,
  { machines, clock, gone }: PerformContext,
): Promise<readonly TargetReport[]> {
  const late = () => new LazysshError("CLOUD_UNREACHABLE", "the cloud did not answer within 10 s");
  using limit = deadline(clock, VOLUMES_MS, late, gone);
  setMaxListeners(0, limit.signal); // each target listens
  const report = async (target: TargetStatus): Promise<TargetReport> => {
    const silent = { ...target, volumes: undefined, volumesProblem: undefined };
    if (!volumes || target.summary === undefined) return silent;
    try {
      const found = await unlessAborted(limit.signal, machines.volumes(target.name, limit.signal));
      return { ...silent, volumes: found };
    } catch (error) {
      return { ...silent, volumesProblem: messageOf(error) };
    }
  };
  return await Promise.all(machines.status().map(report));
}
