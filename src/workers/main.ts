/** The program of a worker: started by the owner of machines, with a channel to it, and nothing without. */
import "../util/native-ciphers.ts";
import { systemClock } from "../util/clock.ts";
import { keepHeapSmall } from "../util/heap.ts";
import type { ToOwner, ToWorker } from "./messages.ts";
import { createWorker } from "./worker.ts";

keepHeapSmall();
process.title = "lazyssh worker";

for (const output of [process.stdout, process.stderr]) output.on("error", () => undefined);
// Terminals and service managers signal all processes; the owner decides what that means, and says so.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => undefined);
// The owner is gone, and with it all leases of machines.
process.on("disconnect", () => process.exit());

/** A channel that is closed just now: the end comes by itself. */
const ignore = (): void => undefined;

const send = (message: ToOwner): void => {
  if (process.connected) process.send?.(message, undefined, undefined, ignore);
};

const onClosed = (): void => {
  // What was sent before is on its way when this is.
  process.send?.({ type: "room", room: false } satisfies ToOwner, undefined, undefined, () => process.exit());
};

const worker = createWorker({ send, clock: systemClock, onClosed });
process.on("message", (message, handle: unknown) => worker(message as ToWorker, handle));
