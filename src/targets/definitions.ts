import { isDeepStrictEqual } from "node:util";
import type { Config, MachineTargetConfig } from "../config/index.ts";
import { LazysshError } from "../util/errors.ts";
import { nearest } from "../util/nearest.ts";
import type { MachineContext } from "./context.ts";

export interface DefinitionsOptions {
  readonly config: Config;
  /** Surroundings of a target's machines; `before` are those of the target as it was defined until now. */
  readonly contextOf: (target: MachineTargetConfig, before: MachineContext | undefined) => MachineContext;
  /** How the machines that a target has now were ordered: shared, or one for each connection; undefined when it has none. */
  readonly sharedNow: (name: string) => boolean | undefined;
}

/** What the config says of targets, as it is now. */
export interface Definitions {
  readonly config: Config;
  /** Of the targets that start machines. One that is defined anew has another context. */
  readonly contexts: ReadonlyMap<string, MachineContext>;
  /** Targets that are not configured any more, as they were last. */
  readonly removed: ReadonlyMap<string, MachineContext>;
  readonly names: readonly string[];
  /** The host of a target for which nothing is started. */
  fixed(name: string): string | undefined;
  /** The context of a target, and whether it has just become another. */
  latest(name: string): MachineContext | undefined;
  unknown(name: string): LazysshError;
  /** Takes another config; returns the contexts that are no longer those of a target. */
  replace(config: Config): readonly MachineContext[];
}

export function createDefinitions({ config, contextOf, sharedNow }: DefinitionsOptions): Definitions {
  let current = config;
  const contexts = new Map<string, MachineContext>();
  const removed = new Map<string, MachineContext>();
  /** Definitions that wait until the machines there are have ended: `shared` is another, and machines of both kinds do not go together. */
  const later = new Map<string, MachineContext>();

  const replace = (next: Config): MachineContext[] => {
    const machineTargets = next.targets.filter((target) => target.type !== "forward");
    const made = machineTargets.map((target) => {
      const before = contexts.get(target.name) ?? removed.get(target.name);
      const same = before && isDeepStrictEqual(before.target, target);
      return { before, context: same ? before : contextOf(target, before) };
    });
    // Nothing is changed before all are made.
    const old = new Map(contexts);
    contexts.clear();
    later.clear();
    current = next;
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
  replace(config);

  const definitions: Definitions = {
    get config() {
      return current;
    },
    contexts,
    removed,
    get names() {
      return current.targets.map(({ name }) => name);
    },
    fixed(name) {
      const target = current.targets.find((one) => one.name === name);
      return target?.type === "forward" ? target.to : undefined;
    },
    latest(name) {
      const waiting = later.get(name);
      if (waiting && sharedNow(name) === undefined) {
        later.delete(name);
        contexts.set(name, waiting);
      }
      return contexts.get(name);
    },
    unknown: (name) => unknownTarget(name, definitions.names),
    replace,
  };
  return definitions;
}

function unknownTarget(name: string, names: readonly string[]): LazysshError {
  const shown = name.length > 64 ? `${name.slice(0, 64)}…` : name;
  const near = nearest(name, names);
  const hint = near !== undefined ? `did you mean "${near}"? ` : "";
  const known = names.length === 0 ? "no targets are configured" : `targets are: ${names.join(", ")}`;
  return new LazysshError("UNKNOWN_TARGET", `there is no target "${shown}": ${hint}${known}`);
}
