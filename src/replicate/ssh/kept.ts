import { LazysshError } from "../../util/errors.ts";

const MOST = 64 * 2 ** 20;
const TAIL = 64 * 2 ** 10;

/** Of what a command prints. */
export interface Kept {
  add(chunk: Buffer): void;
  text(): string;
}

/** All of it, up to 64 MiB. `onMore` is called once, when there is more. */
export function head(onMore: () => void): Kept & { assertWhole(program: string): void } {
  const kept: Buffer[] = [];
  let size = 0;
  return {
    add(chunk) {
      const before = size;
      size += chunk.length;
      if (size <= MOST) kept.push(chunk);
      else if (before <= MOST) onMore();
    },
    text: () => Buffer.concat(kept).toString(),
    assertWhole(program) {
      if (size > MOST) throw new LazysshError("RESOURCE_SHORTAGE", `${program} has printed more than 64 MiB`);
    },
  };
}

/** Its last 64 KiB. */
export function tail(): Kept {
  let kept = Buffer.alloc(0);
  return {
    add(chunk) {
      kept = Buffer.concat([kept, chunk]);
      if (kept.length > TAIL) kept = kept.subarray(kept.length - TAIL);
    },
    text: () => kept.toString(),
  };
}
