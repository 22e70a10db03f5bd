import type { EventStream } from "../../observe/index.ts";
import type { Machine } from "../../providers/index.ts";
import type { Clock } from "../../util/clock.ts";
import { asLazysshError, messageOf } from "../../util/errors.ts";
import { growingInterval, persist } from "../../util/retry.ts";
import type { Found, MachineContext } from "../context.ts";
import { hasOwnLease, isExpired } from "../group/notes.ts";
import type { Journal, LaunchRecord } from "./journal.ts";
import { strangerContext } from "./stranger.ts";

export interface SurveyOptions {
  readonly contexts: ReadonlyMap<string, MachineContext>;
  /** The context of a target by its name, also one of a family that is not among `contexts`. Undefined: it is not configured. */
  readonly contextOf: (target: string) => MachineContext | undefined;
  readonly clock: Clock;
  readonly events: EventStream;
  readonly journal: Journal;
  /** Whether this program already looks after the machine. */
  readonly known: (machine: string, token: string | undefined) => boolean;
  /** Takes up a machine that may still serve its target. */
  readonly adopt: (context: MachineContext, found: Found & { machine: string }) => void;
  /** Takes up a machine, or an order without an answer, that is to be ended. */
  readonly end: (context: MachineContext, found: Found) => void;
}

/** What runs in the cloud, compared with what this program knows of. */
export interface Survey {
  /** Reads the journal, and looks at the cloud at once for what it names. */
  begin(): Promise<void>;
  /** Resolves once the machines of a target that earlier runs left are taken up; the first call looks. */
  of(context: MachineContext): Promise<void>;
  /** The targets are defined anew, and `past` are not what they were any more. What runs where only those were looked for is still compared. */
  redefined(past: readonly MachineContext[]): void;
  /** A target is not used any more; when it is again, what it has is looked for again. */
  forget(target: string): void;
  /** Resolves when what the journal named has been taken up. Where it names nothing, nobody waits for the cloud. */
  settled(): Promise<void>;
  /** What the journal names and nobody has taken up yet, for people. */
  open(): readonly string[];
}

/** How often the cloud is compared again, once it has been looked at. */
const SWEEP_MS = 60_000;

/**
 * Finds machines that nobody looks after: the cloud's list first, by tag, and then the journal for orders that the cloud
 * does not show (yet). A machine of a configured, shared target that may still serve is adopted; every other one is ended. Later
 * sweeps end what was unknown twice in a row, so that no machine is hit between its order and its record.
 *
 * Nothing is asked of the cloud before the journal names something or a target is used: a server at rest stays light.
 */
export function createSurvey(options: SurveyOptions): Survey {
  const { contexts, contextOf, clock, events, journal, known, adopt, end } = options;
  /** What earlier runs wrote down, by token, until it is taken up. */
  const left = new Map<string, LaunchRecord>();
  /** What they left at rest: by token, the target. */
  const atRest = new Map<string, string>();
  const surveys = new Map<string, { readonly context: MachineContext; readonly done: Promise<void> }>();
  /** By place: where targets were that are defined otherwise now, or not at all. */
  const past = new Map<string, MachineContext>();
  let suspects = new Set<string>();
  let sweeping = false;

  const list = (context: MachineContext): Promise<readonly Machine[]> =>
    persist({
      clock,
      signal: context.signal,
      interval: growingInterval(0.1, 500, 5_000),
      attempt: (signal) => context.provider.list(signal),
      onRetry: ({ error, attempt, waitMs }) =>
        context.events.emit({
          type: "machine.retry",
          target: context.target.name,
          machine: undefined,
          step: "ask the cloud what runs",
          attempt,
          code: error.code,
          reason: error.message,
          waitMs,
        }),
    });

  /** Whether a machine with the mark that we look for is this server's to look after. */
  const isOurs = ({ server, group }: MachineContext, machine: Machine): boolean =>
    group === undefined || hasOwnLease(machine, server) || isExpired(machine, clock.now());

  /** Nothing needs to be done about a machine that rests because it is to. */
  const mayRest = ({ target }: MachineContext, { phase }: Machine): boolean =>
    phase === "resting" && target.stopMode !== "terminate" && target.shared;

  const takeUp = (context: MachineContext, machine: Machine): void => {
    const record = machine.token === undefined ? undefined : left.get(machine.token);
    if (!record && !isOurs(context, machine)) return; // another server's
    if (record) left.delete(record.token);
    if (known(machine.id, machine.token)) return;
    const found = { token: machine.token ?? record?.token ?? machine.id, machine: machine.id };
    if (mayRest(context, machine)) {
      if (record) void journal.write({ ...record, machine: machine.id, rests: true }).catch(() => undefined);
      return;
    }
    const usable = machine.phase === "pending" || machine.phase === "running";
    if (usable && context.target.shared) adopt(context, found);
    else end(context, found);
  };

  /** A cloud that refuses to list is no reason to serve nobody: the journal knows by itself what was ordered. */
  const listed = async (context: MachineContext): Promise<readonly Machine[] | undefined> => {
    try {
      return await list(context);
    } catch (error) {
      context.signal.throwIfAborted();
      events.emit({
        type: "server.warning",
        reason: `cannot list what runs by its tag: ${messageOf(error)}`,
      });
      return undefined;
    }
  };

  const look = async (context: MachineContext): Promise<void> => {
    const { name } = context.target;
    const machines = await listed(context);
    for (const machine of machines ?? []) if (machine.target === name) takeUp(context, machine);
    for (const [token, target] of atRest) {
      // Somebody has ended it meanwhile.
      const isGone = target === name && machines?.every((machine) => machine.token !== token);
      if (isGone) void journal.forget(token).catch(() => undefined);
    }
    for (const record of [...left.values()].filter(({ target }) => target === name)) {
      left.delete(record.token);
      end(context, record);
    }
    if (!sweeping) {
      sweeping = true;
      void sweepForEver(context.signal).catch(() => undefined);
    }
  };

  const sweepForEver = async (signal: AbortSignal): Promise<never> => {
    for (;;) {
      await clock.sleep(SWEEP_MS, signal);
      const unknown = new Set<string>();
      for (const context of everywhere()) {
        const machines = await context.provider.list(signal).catch((cause: unknown) => {
          const error = asLazysshError(cause);
          events.emit({ type: "server.warning", reason: `cannot compare what runs: ${error.message}` });
          return [];
        });
        for (const machine of machines) {
          if (known(machine.id, machine.token) || !isOurs(context, machine)) continue;
          const own = machine.target === undefined ? undefined : contextOf(machine.target);
          if (own && mayRest(own, machine)) continue;
          unknown.add(machine.id);
          if (suspects.has(machine.id)) endStray(context, machine);
        }
      }
      suspects = unknown;
    }
  };

  /** One for each place, a target of now where there is one. */
  const everywhere = (): MachineContext[] => {
    const now = [...contexts.values()].map((context) => [context.place, context] as const);
    return [...new Map([...past, ...now]).values()];
  };

  /** A machine with our mark that nobody looks after, whichever target it was of. */
  const endStray = (context: MachineContext, { id, token, target }: Machine): void => {
    events.emit({
      type: "server.warning",
      reason: `machine ${id} of target "${target ?? "?"}" runs and nobody looks after it: it is ended`,
    });
    const own = target === undefined ? undefined : contextOf(target);
    if (token !== undefined) left.delete(token);
    // A target that has moved does not see, where it is now, what it has left where it was.
    const near = own?.place === context.place ? own : strangerContext(context, target ?? "?");
    end(near, { token: token ?? id, machine: id });
  };

  const of = (context: MachineContext): Promise<void> => {
    const { name } = context.target;
    const last = surveys.get(name);
    if (last?.context === context) return last.done;
    // What was left is looked for where it was ordered, before the target is used as it is defined now.
    const before = last?.done.catch(() => undefined) ?? Promise.resolve();
    const done = before.then(() => look(context));
    surveys.set(name, { context, done });
    done.catch(() => {
      if (surveys.get(name)?.done === done) surveys.delete(name); // the next one who needs it asks again
    });
    return done;
  };

  const begin = (context: MachineContext): void => {
    of(context).catch((error: unknown) =>
      events.emit({
        type: "server.warning",
        reason: `cannot look for what was left running: ${messageOf(error)}`,
      }),
    );
  };

  return {
    of,
    async begin() {
      const { records, unreadable } = await journal.read();
      for (const record of records) {
        if (record.rests) atRest.set(record.token, record.target);
        else left.set(record.token, record);
      }
      for (const file of unreadable) {
        const reason = `${file} does not read as the record of a machine, and is left alone: look for machines it may mean`;
        events.emit({ type: "server.warning", reason });
      }
      // Of a group, the others may be gone for good, and what they left is then ended by whoever is there.
      for (const context of contexts.values()) if (context.group !== undefined) begin(context);
      for (const record of records) {
        const context = contextOf(record.target);
        if (context) {
          begin(context);
        } else {
          events.emit({ type: "server.warning", reason: orphaned(record) });
          // Whoever else is in the same cloud sees its machine, and ends it as a stray.
          for (const other of contexts.values()) begin(other);
        }
      }
    },
    redefined(contextsOfThePast) {
      for (const context of contextsOfThePast)
        if (surveys.has(context.target.name)) past.set(context.place, context);
      // Of what was left of targets that were not configured, some may be now.
      const owed = new Set([...left.values()].map(({ target }) => target));
      for (const name of owed) contextOf(name);
      for (const [name, context] of contexts) {
        if (!surveys.has(name) && (owed.has(name) || context.group !== undefined)) begin(context);
      }
    },
    forget: (target) => void surveys.delete(target),
    async settled() {
      const owed = new Set([...left.values()].map(({ target }) => target));
      await Promise.allSettled([...owed].map((target) => surveys.get(target)?.done));
    },
    open: () => [...left.values()].map(nameOf),
  };
}

function orphaned(record: LaunchRecord): string {
  return (
    `a machine of target "${record.target}" may still be running (${nameOf(record)}, started ${record.startedAt}), but no ` +
    "such target is configured any more: where another target is in the same cloud and region, the machine is found by its " +
    "tag and ended within minutes; else put the target back for one start, or end the machine by hand"
  );
}

function nameOf({ machine, token }: LaunchRecord): string {
  return machine ?? `(no id yet, client token ${token})`;
}
