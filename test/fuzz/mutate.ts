import { number } from "./grammar.ts";
import type { Rand } from "./rand.ts";
import type { Edit, Field, Message } from "./steps.ts";

/** A field of the same or of another type, with what tends to be forgotten. */
function strange(r: Rand): Field {
  return r.weighted<() => Field>([
    [4, () => number(r)],
    [2, () => r.chance(0.5)],
    [
      2,
      () =>
        r.pick(["", "\u0000", "a,b,,c", ",", "\u202Eevil", "\uD83D\uDE00", "../../x", "%s%n", "__proto__"]),
    ],
    [2, () => ({ hex: r.hex(r.int(40)) })],
    [2, () => ({ hex: r.pick(["ff", "c0af", "eda080", "f4908080", "80808080"]) })],
    [2, () => ({ fill: r.pick([255, 1024, 8192, 34_000, 40_000]), byte: r.pick([0, 44, 65, 255]) })],
    [3, () => ({ lie: r.pick([0, 1, 5, 35_000, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]), hex: r.hex(r.int(20)) })],
    [1, () => ({ raw: r.hex(r.int(9)) })],
  ])();
}

/** Changes fields: another in its place, none, twice, in another order. */
export function mutatedMessage(r: Rand, message: Message): Message {
  const fields = [...message.fields];
  let { type } = message;
  const edits: Edit[] = [];
  for (let n = 1 + r.int(2); n > 0; n--) {
    const at = r.int(fields.length);
    r.weighted<() => unknown>([
      [8, () => fields.splice(at, 1, strange(r))],
      [2, () => fields.splice(at, 1)],
      [1, () => fields.splice(at, 0, fields[at] ?? strange(r))],
      [1, () => fields.reverse()],
      [2, () => fields.push(strange(r))],
      [
        1,
        () => {
          type = r.int(256);
        },
      ],
      [3, () => edits.push(mutation(r))],
    ])();
  }
  return { type, fields, ...(edits.length > 0 && { edits }) };
}

/** Changes bytes. */
export function mutation(r: Rand): Edit {
  return r.weighted<() => Edit>([
    [3, () => ["cut", r.int(40_000)]],
    [4, () => ["flip", r.int(40_000), 1 << r.int(8)]],
    [3, () => ["put", r.int(200), r.pick(["ffffffff", "80000000", "7fffffff", "00000000", "00"])]],
    [1, () => ["add", r.hex(1 + r.int(20))]],
  ])();
}
