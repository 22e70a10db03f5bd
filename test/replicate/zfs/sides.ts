import type { Features } from "../../../src/replicate/model.ts";
import type { Ran, Side } from "../../../src/replicate/side.ts";

export const openZfs: Features = {
  estimate: true,
  compressed: true,
  largeBlocks: true,
  embedded: true,
  raw: true,
  resume: true,
  receiveProperties: true,
  bookmarks: true,
  holds: true,
  written: true,
};

/** All false. `zfs holds` is in its usage, and does not work. */
export const fuse: Features = {
  estimate: false,
  compressed: false,
  largeBlocks: false,
  embedded: false,
  raw: false,
  resume: false,
  receiveProperties: false,
  bookmarks: false,
  holds: false,
  written: false,
};

/** A side that answers what it is told to, and remembers what it was asked. */
export function stubSide(
  answer: (argv: readonly string[]) => Partial<Ran>,
  { remote = true } = {},
): { readonly side: Side; readonly asked: (readonly string[])[] } {
  const asked: (readonly string[])[] = [];
  const side: Side = {
    name: remote ? "archiver" : "here",
    remote,
    command: (argv) => argv,
    async run(argv) {
      asked.push(argv);
      return { status: 0, signal: undefined, stdout: "", stderr: "", ...answer(argv) };
    },
  };
  return { side, asked };
}
