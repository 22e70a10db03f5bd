import { sees } from "../server/index.ts";
import type { ByHand } from "../targets/by-hand.ts";
import type { Lease, Targets, Tenant, Traffic } from "../targets/lease.ts";
import { LazysshError } from "../util/errors.ts";
import { errorFromWire, errorToWire, type ToOwner, type ToWorker, type WireTenant } from "./messages.ts";

export interface DeskOptions {
  readonly targets: Targets;
  readonly controls: ByHand;
  readonly send: (message: ToWorker) => void;
}

/** Where the owner of machines does what one worker asks for, and keeps what that worker holds. */
export interface Desk {
  receive(message: ToOwner): void;
  /** The worker has gone: calls are taken back, and leases given back. Answers what these have carried. */
  close(reason: string): readonly Carried[];
}

/** What a lease has carried, as far as its worker had told. */
export interface Carried extends Traffic {
  readonly connection: string;
  readonly target: string;
}

interface Held {
  readonly lease: Lease;
  readonly connection: string;
  readonly target: string;
  traffic: Traffic;
}

type CallMessage = Extract<ToOwner, { type: "call" }>;

const NOTHING: Traffic = { total: 0, fromMachine: 0 };

export function createDesk({ targets, controls, send }: DeskOptions): Desk {
  const calls = new Map<number, AbortController>();
  const leases = new Map<number, Held>();

  const tenantOf = ({ user, listens, ...rest }: WireTenant, call: number): Tenant => ({
    ...rest,
    ...(user && { user: { ...user, sees: (target: string) => sees(user.reach, target) } }),
    ...(listens && { told: (stage) => calls.has(call) && send({ type: "told", call, stage }) }),
  });

  const acquire = async (
    { call, target, tenant }: Extract<CallMessage, { what: "acquire" }>,
    signal: AbortSignal,
  ): Promise<void> => {
    const lease = await targets.acquire(target, tenantOf(tenant, call), signal);
    if (signal.aborted) {
      lease.release();
      throw signal.reason;
    }
    const held: Held = { lease, connection: tenant.connection, target, traffic: NOTHING };
    leases.set(call, held);
    lease.carries(() => held.traffic);
    const onTaken = (): void => {
      if (!leases.delete(call)) return;
      send({ type: "taken", call, error: errorToWire(lease.signal.reason) });
    };
    if (lease.signal.aborted) {
      leases.delete(call);
      throw lease.signal.reason;
    }
    lease.signal.addEventListener("abort", onTaken, { once: true });
    // At once: that it is taken away must not be told first.
    send({ type: "done", call, value: { host: lease.host, portMap: lease.portMap } });
  };

  const perform = (
    message: Exclude<CallMessage, { what: "acquire" }>,
    signal: AbortSignal,
  ): Promise<unknown> => {
    switch (message.what) {
      case "stillRuns":
        return leases.get(message.lease)?.lease.stillRuns() ?? Promise.resolve(false);
      case "status":
        return Promise.resolve(controls.status());
      case "hold": {
        const { target, forMs, lift, by, call } = message;
        return controls.hold(target, { forMs, lift, signal, ...(by && { by: tenantOf(by, call) }) });
      }
      case "drop":
        return controls.drop(message.target, { cut: message.cut });
      case "volumes":
        return controls.volumes(message.target, signal);
    }
  };

  const answer = async (message: CallMessage): Promise<void> => {
    const { call } = message;
    const taken = new AbortController();
    calls.set(call, taken);
    try {
      if (message.what === "acquire") return await acquire(message, taken.signal);
      const value = await perform(message, taken.signal);
      if (!taken.signal.aborted) send({ type: "done", call, value });
    } catch (error) {
      if (!taken.signal.aborted) send({ type: "failed", call, error: errorToWire(error) });
    } finally {
      calls.delete(call);
    }
  };

  const giveBack = (call: number, traffic: Traffic | undefined): void => {
    const held = leases.get(call);
    if (!held) return;
    leases.delete(call);
    held.traffic = traffic ?? held.traffic;
    held.lease.release();
  };

  return {
    receive(message) {
      switch (message.type) {
        case "call":
          void answer(message);
          break;
        case "leave": {
          const { call, error, traffic } = message;
          if (error) calls.get(call)?.abort(errorFromWire(error));
          // It may have been granted at the same moment.
          giveBack(call, traffic);
          break;
        }
        case "traffic":
          for (const { call, traffic } of message.leases) {
            const held = leases.get(call);
            if (held) held.traffic = traffic;
          }
          break;
        default:
          break;
      }
    },
    close(reason) {
      for (const call of calls.values()) call.abort(new LazysshError("BOOT_CANCELLED", reason));
      const all = [...leases.entries()];
      for (const [call] of all) giveBack(call, undefined);
      return all.map(([, { connection, target, traffic }]) => ({ connection, target, ...traffic }));
    },
  };
}
