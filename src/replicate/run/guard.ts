import { failureOf } from "../zfs/explain.ts";
import { wholeRowsOf } from "../zfs/names.ts";
import type { Context } from "./context.ts";
import { where } from "./ends.ts";

/**
 * Sees to it that replicas are read-only and not mounted at the next import, when nobody has said otherwise by hand: also those that an
 * earlier run has received and could not finish. Reads back what it has set.
 *
 * @throws LazysshError when it cannot be had.
 */
export async function protect(context: Context, datasets: readonly string[]): Promise<void> {
  const open = await unprotected(context, datasets);
  if (open.length === 0) return;
  const { side, zfs } = context.ends.target;
  // A few at once: each is a way to the machine and back.
  for (let from = 0; from < open.length; from += SET_AT_ONCE) {
    await Promise.all(
      open.slice(from, from + SET_AT_ONCE).map(async ({ name, property, value }) => {
        const ran = await side.run([zfs, "set", `${property}=${value}`, name], { signal: context.signal });
        if (ran.status === 0) return;
        throw failureOf(ran, { side, zfs, doing: `setting ${property}=${value} of ${name}`, dataset: name });
      }),
    );
  }
  const [left] = await unprotected(context, datasets);
  if (left)
    throw new Error(
      `${left.name} ${where(side)} does not keep ${left.property}=${left.value}; set it by hand`,
    );
}

interface Unset {
  readonly name: string;
  readonly property: "canmount" | "readonly";
  readonly value: string;
}

/** `canmount` is not inherited: where it has its default nobody has decided anything. */
async function unprotected(
  { ends, signal }: Context,
  datasets: readonly string[],
): Promise<readonly Unset[]> {
  const { side, zfs } = ends.target;
  const unset: Unset[] = [];
  for (let from = 0; from < datasets.length; from += AT_ONCE) {
    const names = datasets.slice(from, from + AT_ONCE);
    const argv = [zfs, "get", "-H", "-o", "name,property,value,source", "canmount,readonly", ...names];
    const ran = await side.run(argv, { signal });
    if (ran.status !== 0) {
      throw failureOf(ran, {
        side,
        zfs,
        doing: `looking whether replicas are protected`,
        dataset: names[0] ?? "",
      });
    }
    for (const [name = "", property, value, source] of wholeRowsOf(ran.stdout, 4)) {
      if (source === "local" || source === "received") continue;
      if (property === "canmount" && value === "on") unset.push({ name, property, value: "noauto" });
      if (property === "readonly" && value === "off") unset.push({ name, property, value: "on" });
    }
  }
  return unset;
}

const AT_ONCE = 200;
const SET_AT_ONCE = 4;
