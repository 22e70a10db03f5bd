import { setFlagsFromString } from "node:v8";

/**
 * Keeps the part of the heap where objects are born at the size that it has now, 1 MiB or little more.
 *
 * V8 lets it grow to 32 MiB (Node 20) or 128 MiB (Node 24) under load and does not shrink it when the load is over, so that a
 * server would have three times the memory after an attack than before it. Looking through a small one more often costs
 * next to nothing here: what is born in a connection either dies at once or lives as long as that.
 */
export function keepHeapSmall(): void {
  setFlagsFromString("--semi-space-growth-factor=1");
}
