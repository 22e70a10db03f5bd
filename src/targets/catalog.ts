import { isFamily, isMemberName } from "../config/family.ts";
import type { TargetConfig } from "../config/index.ts";
import { matchesGlob } from "../util/glob.ts";

/** A target as it is asked for. */
export interface Named {
  /** Under the name that was asked for. */
  readonly target: TargetConfig;
  /** The address in the config: the name itself, or the pattern of the family that it is of. */
  readonly family: string;
}

/** What the names of a configuration stand for. */
export interface Catalog {
  /** The addresses, in the order of the file: patterns stand for themselves. */
  readonly names: readonly string[];
  /** An exact address first, then the families in the order of the file. Undefined: there is no such target. */
  find(name: string): Named | undefined;
}

export function createCatalog(targets: readonly TargetConfig[]): Catalog {
  const families = targets.filter(({ name }) => isFamily(name));
  const exact = new Map(targets.filter(({ name }) => !isFamily(name)).map((target) => [target.name, target]));
  return {
    names: targets.map(({ name }) => name),
    find(name) {
      const known = exact.get(name);
      if (known) return { target: known, family: name };
      const family = isMemberName(name) ? families.find((one) => matchesGlob(one.name, name)) : undefined;
      return family && { target: { ...family, name }, family: family.name };
    },
  };
}
