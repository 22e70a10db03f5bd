import { dice } from "../harness/dice.ts";

/** Chances that come out the same for the same seed. */
export interface Rand {
  /** 0 to n - 1. */
  int(n: number): number;
  chance(probability: number): boolean;
  pick<T>(list: readonly [T, ...T[]]): T;
  /** One of them, the likelier the greater its weight. */
  weighted<T>(list: readonly (readonly [weight: number, value: T])[]): T;
  hex(bytes: number): string;
}

export function rand(seed: number): Rand {
  const next = dice(seed);
  const int = (n: number): number => Math.floor(next() * n);
  return {
    int,
    chance: (probability) => next() < probability,
    pick: (list) => list[int(list.length)] ?? list[0],
    weighted(list) {
      let at = next() * list.reduce((sum, [weight]) => sum + weight, 0);
      for (const [weight, value] of list) {
        at -= weight;
        if (at < 0) return value;
      }
      throw new RangeError("nothing to choose from");
    },
    hex: (bytes) => Buffer.from(Array.from({ length: bytes }, () => int(256))).toString("hex"),
  };
}
