import { createCipheriv, createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { systemClock } from "../../src/util/clock.ts";

const ZEROS = Buffer.alloc(256 * 1024);

/** Random bytes without end, as many at a time as are wanted: none can be lost, doubled or misplaced without a trace in the digest. */
export function flow() {
  const cipher = createCipheriv("aes-128-ctr", randomBytes(16), randomBytes(16));
  const hash = createHash("sha256");
  return {
    /** At most 256 KiB. */
    next(length: number): Buffer {
      const block = cipher.update(ZEROS.subarray(0, length));
      hash.update(block);
      return block;
    },
    /** Of all that was given. */
    digest: (): string => hash.digest("hex"),
  };
}

/** To stand still for `ms` after every `bytes`. */
export interface Stalls {
  readonly bytes: number;
  readonly ms: number;
}

/** Writes a flow and returns its digest. The stream is not ended. */
export async function pour(to: Writable, bytes: number, stalls?: Stalls): Promise<string> {
  const source = flow();
  let untilStall = stalls?.bytes ?? Number.POSITIVE_INFINITY;
  for (let left = bytes; left > 0; ) {
    const block = source.next(Math.min(left, ZEROS.length));
    left -= block.length;
    untilStall -= block.length;
    if (!to.write(block)) await once(to, "drain");
    if (stalls && untilStall <= 0) {
      await systemClock.sleep(stalls.ms);
      untilStall = stalls.bytes;
    }
  }
  return source.digest();
}

/** The digest of all that comes until the end. */
export async function drink(from: Readable, stalls?: Stalls): Promise<string> {
  const hash = createHash("sha256");
  let untilStall = stalls?.bytes ?? Number.POSITIVE_INFINITY;
  from.on("data", (chunk: Buffer) => {
    hash.update(chunk);
    untilStall -= chunk.length;
    if (!stalls || untilStall > 0) return;
    untilStall = stalls.bytes;
    from.pause();
    void systemClock.sleep(stalls.ms).then(() => from.resume());
  });
  await once(from, "end");
  return hash.digest("hex");
}
