import { isDeepStrictEqual } from "node:util";
import { isFamily } from "../config/family.ts";
import type { Config, MachineTargetConfig } from "../config/index.ts";
import { LazysshError } from "../util/errors.ts";
import { nearest } from "../util/nearest.ts";
import { type Catalog, createCatalog, type Named } from "./catalog.ts";
import type { MachineContext } from "./context.ts";
import type { TenantUser } from "./lease.ts";

export interface DefinitionsOptions {
  readonly config: Config;
  /** Surroundings of a target's machines; `before` are those of the target as it was defined until now. */
  readonly contextOf: (
    target: MachineTargetConfig,
    family: string,
    before: MachineContext | undefined,
  ) => MachineContext;
  /** How the machines that a target has now were ordered: shared, or one for each connection; undefined when it has none. */
  readonly sharedNow: (name: string) => boolean | undefined;
  /** A name of a family that has no machine is not remembered any more. */
  readonly onForgotten: (name: string) => void;
}

/** How many names of families are remembered though they have no machine: with them, how often their starts have failed. */
const MOST_IDLE = 100;

/** What the config says of targets, as it is now. */
export interface Definitions {
  readonly config: Config;
  /**
   * Of the targets that start machines, families among them by their patterns, and of the names of families that are used or were of
   * late. One that is defined anew has another context.
   */
  readonly contexts: ReadonlyMap<string, MachineContext>;
  /** Targets that are not configured any more, as they were last. */
  readonly removed: ReadonlyMap<string, MachineContext>;
  /** Addresses in the order of the file. */
  readonly names: readonly string[];
  /** What the config has under a name; of a pattern nothing. */
  find(name: string): Named | undefined;
  /** The host of a target for which nothing is started. */
  fixed(name: string): string | undefined;
  /** The context of a target as it is to be used now: it may have become another just now. */
  latest(name: string): MachineContext | undefined;
  /** What is said to somebody who wants a target that is not there. No name is told that a user may not know. */
  unknown(name: string, user?: TenantUser): LazysshError;
  /** Takes another config; returns the contexts that are no longer those of a target. */
  replace(config: Config): readonly MachineContext[];
}

export function createDefinitions(options: DefinitionsOptions): Definitions {
  const { contextOf, sharedNow } = options;
  let current = options.config;
  let catalog = createCatalog(current.targets);
  const contexts = new Map<string, MachineContext>();
  const removed = new Map<string, MachineContext>();
  /** Definitions that wait until the machines there are have ended: `shared` is another, and machines of both kinds do not go together. */
  const later = new Map<string, MachineContext>();

  /** All that start machines: what the file has, and the names of families that are remembered, or still have a machine. */
  const wanted = (next: Config, { names, find }: Catalog) => {
    const configured = next.targets.map((target): Named => ({ target, family: target.name }));
    const remaining = [...removed.keys()].filter((name) => sharedNow(name) !== undefined);
    const members = [...contexts.keys(), ...remaining]
      .filter((name) => !names.includes(name))
      .flatMap((name) => find(name) ?? []);
    return [...configured, ...members].flatMap(({ target, family }) =>
      target.type === "forward" ? [] : [{ target, family }],
    );
  };

  /** A name of a family that is not remembered. */
  const member = (name: string): MachineContext | undefined => {
    const named = catalog.find(name);
    if (!named || named.target.type === "forward") return undefined;
    const context = contextOf(named.target, named.family, removed.get(name));
    contexts.set(name, context);
    removed.delete(name);
    const idle = [...contexts.values()].filter(
      ({ target, family, lifted, clock }) =>
        target.name !== family && sharedNow(target.name) === undefined && lifted.until <= clock.now(),
    );
    for (const { target } of idle.slice(0, -MOST_IDLE)) {
      contexts.delete(target.name);
      options.onForgotten(target.name);
    }
    return context;
  };

  const replace = (next: Config): MachineContext[] => {
    const nextCatalog = createCatalog(next.targets);
    const made = wanted(next, nextCatalog).map(({ target, family }) => {
      const before = contexts.get(target.name) ?? removed.get(target.name);
      const same = before?.family === family && isDeepStrictEqual(before.target, target);
      return { before, context: same ? before : contextOf(target, family, before) };
    });
    // Nothing is changed before all are made.
    const old = new Map(contexts);
    contexts.clear();
    later.clear();
    current = next;
    catalog = nextCatalog;
    for (const { before, context } of made) {
      const { name, shared } = context.target;
      const now = before && sharedNow(name);
      const waits = before && now !== undefined && now !== shared;
      contexts.set(name, waits ? before : context);
      if (waits) later.set(name, context);
      removed.delete(name);
    }
    const past = [...old.values()].filter((context) => contexts.get(context.target.name) !== context);
    for (const context of past) {
      if (!contexts.has(context.target.name)) removed.set(context.target.name, context);
    }
    return past;
  };
  replace(current);

  const definitions: Definitions = {
    get config() {
      return current;
    },
    contexts,
    removed,
    get names() {
      return catalog.names;
    },
    find: (name) => catalog.find(name),
    fixed(name) {
      const target = catalog.find(name)?.target;
      return target?.type === "forward" ? target.to : undefined;
    },
    latest(name) {
      const waiting = later.get(name);
      if (waiting && sharedNow(name) === undefined) {
        later.delete(name);
        contexts.set(name, waiting);
      }
      return isFamily(name) ? undefined : (contexts.get(name) ?? member(name));
    },
    unknown(name, user) {
      const seen = (names: Iterable<string>) => [...names].filter((one) => user?.sees(one) ?? true);
      return unknownTarget(name, seen(catalog.names), seen(contexts.keys()), user);
    },
    replace,
  };
  return definitions;
}

/** @param used Names beyond those of the config. */
function unknownTarget(
  name: string,
  names: readonly string[],
  used: readonly string[],
  user: TenantUser | undefined,
): LazysshError {
  const shown = name.length > 64 ? `${name.slice(0, 64)}…` : name;
  const near = nearest(
    name,
    [...names, ...used].filter((one) => !isFamily(one)),
  );
  const hint = names.includes(name)
    ? "it is a family, ask for a name that matches it; "
    : near !== undefined
      ? `did you mean "${near}"? `
      : "";
  const none = user === undefined ? "no targets are configured" : `no targets are open to ${user.name}`;
  const known = names.length === 0 ? none : `targets are: ${names.join(", ")}`;
  return new LazysshError("UNKNOWN_TARGET", `there is no target "${shown}": ${hint}${known}`);
}
