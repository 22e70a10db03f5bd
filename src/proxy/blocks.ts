/** Bytes of a block. */
export const BLOCK = 64 * 1024;

/** Kept for the next time, by all tunnels together: 8 MiB, as much as one client may have under way. */
const MOST_SPARE = 128;

const spare: Buffer[] = [];

/**
 * A block for bytes that wait for a target. Blocks are used again: where a target is slow they come and go by the hundred, and
 * the garbage collector would let several windows' worth of them pile up before it looks.
 */
export function takeBlock(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK);
}

/** Gives one back that nobody uses any more: what it holds may be overwritten at once. */
export function giveBlock(block: Buffer): void {
  if (spare.length < MOST_SPARE) spare.push(block);
}
