import { BLOCK, giveBlock, takeBlock } from "./blocks.ts";
import type { TargetSocket } from "./target-socket.ts";

/** Towards the target: one write at a time, and what comes meanwhile is the next one. */
export interface Upload {
  /** Takes a view of `data` until `flush`, or a copy while something is being written. */
  write(data: Buffer): void;
  /** Writes what was taken as views. `hold` is asked when they are needed for longer, and what it answers is called when they are not. */
  flush(hold: () => () => void): void;
  /** No more will come: the target's reading side ends once all is written. */
  end(): void;
}

/**
 * What waits is copied into blocks, because a view would hold on to the whole chunk it arrived in: a client that
 * sends single bytes could make its window cost a hundred times its size.
 *
 * @param onTaken told how many bytes the target has taken since the last time.
 */
export function createUpload(socket: TargetSocket, onTaken: (bytes: number) => void): Upload {
  let writing = false;
  let ended = false;
  /** Views of what has just come. */
  let fresh: Buffer[] = [];
  let waiting: Buffer[] = [];
  /** The last of the waiting blocks, and how much of it is used; the others are full. */
  let block: Buffer | undefined;
  let used = 0;

  /** Of the views that are being written. */
  let release: (() => void) | undefined;

  /** @param blocks that are free once the pieces are written. */
  const start = (pieces: readonly Buffer[], blocks: readonly Buffer[]): void => {
    writing = true;
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const done = (): void => {
      writing = false;
      // Of a socket that was dropped they may still be with the system.
      if (!socket.destroyed) {
        for (const each of blocks) giveBlock(each);
        release?.();
      }
      release = undefined;
      onTaken(bytes);
      next();
    };
    socket.cork();
    pieces.forEach((piece, index) => {
      socket.write(piece, index === pieces.length - 1 ? done : undefined);
    });
    socket.uncork();
  };

  const next = (): void => {
    if (writing || socket.destroyed) return;
    if (block) {
      const blocks = waiting;
      const pieces = [...blocks.slice(0, -1), block.subarray(0, used)];
      waiting = [];
      block = undefined;
      start(pieces, blocks);
    } else if (ended && fresh.length === 0) {
      socket.end();
    }
  };

  const hold = (data: Buffer): void => {
    for (let at = 0; at < data.length; ) {
      if (!block || used === BLOCK) {
        block = takeBlock();
        used = 0;
        waiting.push(block);
      }
      const copied = data.copy(block, used, at);
      used += copied;
      at += copied;
    }
  };

  const flush = (hold: () => () => void): void => {
    if (fresh.length === 0) return;
    const pieces = fresh;
    fresh = [];
    start(pieces, []);
    // What the system has taken at once is not counted any more, though `done` is yet to come.
    if (socket.writableLength > 0) release = hold();
  };

  return {
    write(data) {
      if (writing) hold(data);
      else fresh.push(data);
    },
    flush,
    end() {
      ended = true;
      next();
    },
  };
}
