import { openControl } from "../../src/control/index.ts";
import { createEventStream, type LazysshEvent } from "../../src/observe/index.ts";
import type { ByHand, Dropped, HoldOptions, TargetStatus, VolumeStatus } from "../../src/targets/index.ts";
import { type Clock, systemClock } from "../../src/util/clock.ts";
import { LazysshError } from "../../src/util/errors.ts";

/** A server's machines that need no cloud: what they answer is set by the test. */
export interface FakeMachines extends ByHand {
  targets: readonly TargetStatus[];
  found: readonly VolumeStatus[] | Error;
  dropped: Dropped;
  /** What happens while a start is waited for. */
  boot: (options: HoldOptions) => Promise<void>;
  readonly asked: unknown[];
  /** Starts that were taken back, and why. */
  readonly takenBack: unknown[];
}

export function fakeMachines(targets: readonly TargetStatus[] = []): FakeMachines {
  const known = (name: string) => {
    if (machines.targets.some((target) => target.name === name)) return;
    throw new LazysshError("UNKNOWN_TARGET", `there is no target "${name}"`);
  };
  const machines: FakeMachines = {
    targets,
    found: [],
    dropped: { machines: [], kept: [] },
    boot: () => Promise.resolve(),
    asked: [],
    takenBack: [],
    status: () => machines.targets,
    async hold(name, options) {
      known(name);
      const { forMs, lift, signal } = options;
      machines.asked.push({ hold: name, forMs, lift });
      signal.addEventListener("abort", () => machines.takenBack.push(signal.reason));
      await machines.boot(options);
    },
    async drop(name, options) {
      known(name);
      machines.asked.push({ drop: name, ...options });
      return machines.dropped;
    },
    async volumes() {
      if (machines.found instanceof Error) throw machines.found;
      return machines.found;
    },
  };
  return machines;
}

/** The controls of a server in a state directory, without the server. */
export async function openControls(
  stateDir: string,
  machines: ByHand,
  { since = Date.now(), clock = systemClock }: { since?: number; clock?: Clock } = {},
) {
  const events = createEventStream();
  const seen: LazysshEvent[] = [];
  events.subscribe((event) => seen.push(event));
  const place = { pid: 42, listen: "127.0.0.1:7922", config: "c.hcl", stateDir };
  const facts = { version: "1.2.3", since, place };
  const control = await openControl({ machines, facts, clock, events });
  return { seen, facts, close: control.close, [Symbol.asyncDispose]: control.close };
}

/** A target of which one machine is ready. */
export function readyTarget(since: number): TargetStatus {
  return {
    name: "archiver",
    type: "aws_ec2",
    summary: "t4g.nano in us-west-2d",
    machines: [
      {
        target: "archiver",
        state: "ready",
        since,
        machine: "i-1",
        launch: "lazyssh-1",
        host: "10.0.0.7",
        startedAt: since - 30_000,
        waitingFor: undefined,
        unfit: undefined,
        leases: [
          {
            kind: "channel",
            user: undefined,
            client: "192.0.2.7:50123",
            connection: "c1",
            since,
            status: "held",
          },
          {
            kind: "channel",
            user: undefined,
            client: "192.0.2.7:50123",
            connection: "c1",
            since,
            status: "held",
          },
          { kind: "by hand", user: undefined, client: "", connection: "", since, status: "held" },
        ],
      },
    ],
    usedTodayMs: 5_400_000,
    budgetMsPerDay: 14_400_000,
    hourlyPrice: 2,
  };
}

export function restingTarget(): TargetStatus {
  return {
    ...readyTarget(0),
    machines: [],
    usedTodayMs: 0,
    budgetMsPerDay: undefined,
    hourlyPrice: undefined,
  };
}
